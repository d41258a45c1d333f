//! Words that many organisations have in their names.

use super::Class;

/// The word of an organisation's name that these tables know: how it counts, and its one spelling.
pub(crate) fn organisation_word(word: &str) -> Option<(Class, &'static str)> {
    small_word(word)
        .or_else(|| trade(word).or_else(|| body(word)).map(|word| (Class::Common, word)))
        .or_else(|| region(word).map(|word| (Class::Region, word)))
}

/// *Company*, and the words between words.
fn small_word(word: &str) -> Option<(Class, &'static str)> {
    let known = match word {
        "company" | "co" | "corporation" | "corp" | "coy" | "compania" | "companhia" | "compagnie"
        | "compagnia" | "kompaniia" | "kompania" | "kompani" | "firma" | "firm" | "sirketi"
        | "gesellschaft" | "societe" | "sociedad" | "societa" | "obshchestvo" => (Class::Company, "company"),
        "the" | "der" | "die" | "das" | "le" | "la" | "les" | "el" | "los" | "al" | "il" | "lo" | "het" => {
            (Class::Particle, "the")
        }
        "of" | "de" | "del" | "di" | "du" | "des" | "da" | "do" | "dos" | "von" | "van" => {
            (Class::Particle, "of")
        }
        "and" | "und" | "et" | "og" | "och" | "en" => (Class::Particle, "and"),
        "for" | "fur" | "pour" | "para" | "per" | "dlia" => (Class::Particle, "for"),
        "in" | "at" | "on" | "to" | "by" | "with" => (Class::Particle, "in"),
        "no" | "nr" | "num" | "number" | "nomer" => (Class::Particle, "number"),
        _ => return None,
    };
    Some(known)
}

/// What companies are and do.
fn trade(word: &str) -> Option<&'static str> {
    let known = match word {
        "international" | "intl" | "int" | "internationale" | "internacional" | "internazionale"
        | "mezhdunarodnyi" | "mezhdunarodnaia" => "international",
        "group" | "gruppe" | "groupe" | "grupo" | "gruppo" | "gruppa" | "groep" | "grupa" | "grubu"
        | "koncern" | "grp" => "group",
        "holding" | "holdings" | "kholding" | "hldgs" => "holding",
        "bank" | "banco" | "banque" | "banca" | "banka" | "bankasi" => "bank",
        "fund" | "fonds" | "fond" | "fondo" => "fund",
        "trust" => "trust",
        "capital" | "kapital" => "capital",
        "partners" | "partner" => "partners",
        "management" | "mgmt" | "mgt" => "management",
        "investment" | "investments" | "investissement" | "inversiones" | "invest" => "investment",
        "finance" | "financial" | "finans" | "finanz" => "finance",
        "insurance" | "assurance" | "versicherung" | "seguros" | "sigorta" => "insurance",
        "trading" | "trade" | "torgovyi" | "handel" | "ticaret" | "comercial" => "trade",
        "industry" | "industries" | "industrial" | "industrie" | "industria" | "sanayi" => "industry",
        "technology" | "technologies" | "tech" | "tekhnologii" | "technologie" => "technology",
        "services" | "service" | "servicios" | "servis" | "svcs" => "service",
        "solutions" | "solution" => "solution",
        "systems" | "system" | "systeme" | "sistemas" | "sistemy" => "system",
        "enterprise" | "enterprises" | "entreprise" | "empresa" | "predpriiatie" => "enterprise",
        "engineering" | "ingenieria" => "engineering",
        "development" => "development",
        "construction" | "constructions" | "stroitelnaia" => "construction",
        "business" => "business",
        "electronics" | "electronic" => "electronics",
        "shipping" | "marine" | "maritime" => "shipping",
        "transport" | "transportation" | "logistics" | "logistik" => "transport",
        "aviation" | "airlines" | "airline" | "airways" => "aviation",
        "energy" | "energia" | "energie" | "energiia" => "energy",
        "oil" | "petroleum" | "neft" => "oil",
        "gas" | "gaz" => "gas",
        "factory" | "plant" | "works" | "werke" | "werk" | "zavod" | "fabrika" => "works",
        "global" => "global",
        "general" => "general",
        _ => return None,
    };
    Some(known)
}

/// What authorities and associations are.
fn body(word: &str) -> Option<&'static str> {
    let known = match word {
        "foundation" | "fundacion" | "fondation" => "foundation",
        "organization" | "organisation" | "organizatsiia" | "organizacion" | "org" => "organisation",
        "association" | "assn" | "asociacion" | "assotsiatsiia" => "association",
        "institute" | "institut" | "instituto" | "inst" => "institute",
        "university" | "universitat" | "universite" | "universidad" | "universitet" | "univ" => "university",
        "academy" | "akademie" | "academie" | "akademiia" => "academy",
        "centre" | "center" | "zentrum" | "centro" | "tsentr" | "ctr" => "centre",
        "department" | "dept" => "department",
        "ministry" | "ministerium" | "ministere" | "ministerio" | "ministerstvo" => "ministry",
        "government" | "govt" => "government",
        "national" | "nacional" | "nationale" | "natsionalnyi" | "natl" => "national",
        "state" | "gosudarstvennyi" | "gosudarstvennoe" => "state",
        _ => return None,
    };
    Some(known)
}

/// In order, to be looked up by halves.
#[rustfmt::skip]
const REGIONS: &[&str] = &[
    "afghanistan", "africa", "albania", "algeria", "america", "angola", "arabia", "argentina", "armenia",
    "asia", "atlantic", "australia", "austria", "azerbaijan", "bahamas", "bahrain", "bangladesh", "belarus",
    "belgium", "bermuda", "bolivia", "bosnia", "brasil", "bulgaria", "cambodia", "cameroon", "canada",
    "caribbean", "chad", "chile", "china", "colombia", "congo", "croatia", "cuba", "cyprus", "denmark",
    "deutschland", "ecuador", "egypt", "emirates", "england", "eritrea", "espana", "estonia", "ethiopia",
    "eurasia", "europe", "finland", "france", "georgia", "germany", "ghana", "gibraltar", "greece",
    "guatemala", "guinea", "haiti", "honduras", "hongkong", "hungary", "iceland", "india", "indonesia",
    "iran", "iraq", "ireland", "israel", "italia", "italy", "jamaica", "japan", "jersey", "jordan",
    "kazakhstan", "kenya", "korea", "kuwait", "kyrgyzstan", "laos", "latvia", "lebanon", "liberia", "libya",
    "liechtenstein", "lithuania", "luxembourg", "macau", "macedonia", "madagascar", "malaysia", "mali",
    "malta", "mauritius", "mediterranean", "mexico", "moldova", "monaco", "mongolia", "montenegro",
    "morocco", "mozambique", "myanmar", "namibia", "nepal", "netherlands", "nicaragua", "niger", "nigeria",
    "nippon", "norway", "oman", "overseas", "pacific", "pakistan", "panama", "paraguay", "peru",
    "philippines", "poland", "polska", "portugal", "qatar", "romania", "rossiia", "russia", "rwanda",
    "samoa", "scotland", "senegal", "serbia", "seychelles", "singapore", "slovakia", "slovenia", "somalia",
    "spain", "sudan", "suisse", "sweden", "switzerland", "syria", "taiwan", "tajikistan", "tanzania",
    "thailand", "tunisia", "turkey", "turkiye", "turkmenistan", "uganda", "uk", "ukraine", "uruguay", "usa",
    "uzbekistan", "venezuela", "vietnam", "wales", "yemen", "zambia", "zimbabwe",
];

/// Countries and regions, in one word each, with the adjectives that names have.
fn region(word: &str) -> Option<&'static str> {
    let same = match word {
        "chinese" => "china",
        "russian" => "russia",
        "german" => "germany",
        "french" => "france",
        "american" => "america",
        "british" | "britain" => "uk",
        "iranian" => "iran",
        "indian" => "india",
        "japanese" => "japan",
        "korean" => "korea",
        "saudi" => "saudi",
        "arabian" | "arab" => "arabia",
        "european" | "europa" => "europe",
        "brazil" => "brasil",
        "turk" | "turkish" => "turkey",
        _ => "",
    };
    if !same.is_empty() {
        return Some(same);
    }
    REGIONS.binary_search(&word).ok().and_then(|at| REGIONS.get(at).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_found() {
        assert!(REGIONS.is_sorted());
        for word in ["afghanistan", "zimbabwe", "kuwait", "chinese", "usa"] {
            assert!(matches!(organisation_word(word), Some((Class::Region, _))), "{word}");
        }
        assert_eq!(organisation_word("symantec"), None);
    }
}
