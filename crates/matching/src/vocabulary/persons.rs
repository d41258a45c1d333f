//! Titles, particles and short names of people.

use super::Class;

/// The word of a person's name that these tables know.
pub(crate) fn person_word(word: &str) -> Option<(Class, &'static str)> {
    let known = match word {
        "al" | "el" | "ul" | "ur" | "ad" | "as" | "az" | "ar" => (Class::Particle, "al"),
        "bin" | "ben" | "ibn" | "bn" | "bint" | "ould" | "uld" | "walad" => (Class::Particle, "bin"),
        "de" | "del" | "di" | "da" | "dos" | "das" | "du" | "des" => (Class::Particle, "de"),
        "la" | "le" | "lo" | "los" | "las" | "les" => (Class::Particle, "la"),
        "van" | "von" | "der" | "den" | "zu" | "vom" => (Class::Particle, "von"),
        "and" | "na" | "aka" => (Class::Particle, "and"),
        "mr" | "mrs" | "ms" | "miss" | "mister" | "herr" | "frau" | "monsieur" | "madame" | "mme"
        | "senor" | "senora" | "sir" | "lord" | "lady" | "dame" | "sri" | "shri" => (Class::Title, "mr"),
        "dr" | "doctor" | "doktor" | "prof" | "professor" | "ing" | "dipl" | "phd" | "md" | "mba" | "esq" => {
            (Class::Title, "dr")
        }
        "president" | "prasident" | "presidente" | "minister" | "senator" | "chairman" | "director"
        | "ambassador" | "governor" | "king" | "queen" | "prince" | "princess" | "his" | "her"
        | "excellency" | "majesty" | "hon" | "honourable" | "honorable" => (Class::Title, "president"),
        "general" | "gen" | "colonel" | "col" | "major" | "maj" | "captain" | "capt" | "lieutenant"
        | "lt" | "brigadier" | "brig" | "admiral" | "commander" | "sergeant" | "marshal" => {
            (Class::Title, "general")
        }
        "sheikh" | "shaikh" | "sheik" | "shaykh" | "shaikha" | "haji" | "hajji" | "hadji" | "haj"
        | "hajj" | "mullah" | "mulla" | "maulawi" | "mawlawi" | "maulvi" | "moulvi" | "maulana"
        | "mawlana" | "imam" | "sayyid" | "sayyed" | "sayed" | "syed" | "seyed" | "seyyed" | "hafiz"
        | "qari" | "alhaj" | "alhaji" | "ustad" | "akhund" | "molla" | "ayatollah" => {
            (Class::Title, "sheikh")
        }
        "rev" | "reverend" | "father" | "bishop" | "archbishop" | "cardinal" | "rabbi" => {
            (Class::Title, "rev")
        }
        "jr" | "junior" | "sr" | "senior" => (Class::Title, "jr"),
        _ => return None,
    };
    Some(known)
}

/// The full name that a short one stands for; the names that have several keep the commonest.
pub(crate) fn full_given_name(word: &str) -> Option<&'static str> {
    let full = match word {
        "alex" | "aleks" | "sasha" | "sascha" => "alexander",
        "andy" | "drew" => "andrew",
        "tony" => "anthony",
        "ben" | "benny" => "benjamin",
        "charlie" | "chuck" => "charles",
        "chris" => "christopher",
        "dan" | "danny" => "daniel",
        "dave" => "david",
        "dima" => "dmitry",
        "ed" | "eddie" | "ned" => "edward",
        "liz" | "beth" | "betty" | "eliza" | "lisa" => "elizabeth",
        "fred" | "freddy" => "frederick",
        "greg" => "gregory",
        "hank" | "harry" => "henry",
        "jim" | "jimmy" | "jamie" => "james",
        "jeff" => "jeffrey",
        "joe" | "joey" => "joseph",
        "jack" | "johnny" => "john",
        "kate" | "katie" | "kathy" | "cathy" => "katherine",
        "ken" | "kenny" => "kenneth",
        "larry" => "lawrence",
        "matt" => "matthew",
        "meg" | "peggy" | "maggie" => "margaret",
        "mike" | "mick" | "misha" => "michael",
        "nick" => "nicholas",
        "pat" => "patrick",
        "pete" => "peter",
        "ray" => "raymond",
        "dick" | "rick" | "rich" | "richie" => "richard",
        "bob" | "rob" | "bobby" | "robbie" => "robert",
        "ron" => "ronald",
        "sam" => "samuel",
        "steve" => "stephen",
        "sue" | "susie" => "susan",
        "ted" | "teddy" => "theodore",
        "tom" | "tommy" => "thomas",
        "tim" => "timothy",
        "vic" => "victor",
        "volodya" | "vova" => "vladimir",
        "bill" | "billy" | "will" | "willy" => "william",
        _ => return None,
    };
    Some(full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_have_full_ones() {
        for (short, full) in [("bill", Some("william")), ("ted", Some("theodore")), ("william", None)] {
            assert_eq!(full_given_name(short), full);
        }
    }

    #[test]
    fn titles_and_particles_are_no_names() {
        let cases = [
            ("mr", Some((Class::Title, "mr"))),
            ("shaikh", Some((Class::Title, "sheikh"))),
            ("ibn", Some((Class::Particle, "bin"))),
            ("lovelace", None),
        ];
        for (word, want) in cases {
            assert_eq!(person_word(word), want, "{word}");
        }
    }
}
