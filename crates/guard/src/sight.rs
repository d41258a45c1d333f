//! What was met, as a whole: the observation on which patterns are evaluated that are no look-up.
//!
//! A look-up asks for one value. `[file:name = 'invoice.zip' AND file:size > 9000]` asks for several properties of one
//! object, so the mail has to be put before it with all its files. A [`Sight`] is that: the objects of STIX 2.1 §6 that a
//! countermeasure can tell of, in the standard's own words.
//!
//! | kind | objects and properties |
//! |---|---|
//! | question | `domain-name:value` |
//! | mail | `email-message` with `subject`, `body`, `from_ref`, `sender_ref`, `to_refs`; `email-addr` with `value`, `display_name`; `file` with `name`, `size`, MD5, SHA-1, SHA-256; `url`, `domain-name`, `ipv4-addr`, `ipv6-addr` |
//! | flow | `network-traffic` with `src_ref`, `dst_ref`, `src_port`, `dst_port`, `protocols`; `ipv4-addr`, `ipv6-addr` |
//! | line | `url`, `domain-name`, `ipv4-addr`, `ipv6-addr`, `email-addr`, `file` with hashes |
//! | observed | whatever an `observed-data` object tells |
//!
//! The last two there are only in files at rest.
//!
//! **Nothing is true for want of seeing.** A comparison about a property that a kind does not tell of is false there, and so
//! it should be; but `NOT EXISTS file:ctime` would be true of every mail. Such a pattern is not asked of that kind.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Map, Value, json};
use stix_pattern::{
    Comparison, ComparisonExpression, Instant, Observation, ObservationExpression, Operator, Step,
};

/// What something that was met is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A name that a client asked for.
    Question,
    /// A mail.
    Mail,
    /// Two that talked.
    Flow,
    /// A line of a log, or a request.
    Line,
    /// What an `observed-data` object tells.
    Observed,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Question, Self::Mail, Self::Flow, Self::Line, Self::Observed];
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// Those that countermeasures meet.
    pub const MET: Self = Self(1 << Kind::Question as u8 | 1 << Kind::Mail as u8 | 1 << Kind::Flow as u8);
    /// All of them, as files hold them.
    pub const ALL: Self = Self(0b1_1111);

    /// Whether a kind is among them.
    #[must_use]
    pub fn has(self, kind: Kind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    fn of(counts: impl Fn(Kind) -> bool) -> Self {
        Self(Kind::ALL.into_iter().filter(|kind| counts(*kind)).fold(0, |bits, kind| bits | 1 << kind as u8))
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A property without the indexes of its lists: `to_refs.value`.
fn keys_of(comparison: &Comparison) -> String {
    let keys = comparison.path.steps.iter().filter_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::Index(_) | Step::Any => None,
    });
    keys.collect::<Vec<_>>().join(".")
}

/// What a kind tells of a type of object; `None`: it has no such objects.
fn properties(kind: Kind, object_type: &str) -> Option<&'static [&'static str]> {
    const VALUE: &[&str] = &["value"];
    Some(match (kind, object_type) {
        (Kind::Question | Kind::Mail | Kind::Line, "domain-name")
        | (Kind::Mail | Kind::Flow | Kind::Line, "ipv4-addr" | "ipv6-addr")
        | (Kind::Mail | Kind::Line, "url")
        | (Kind::Line, "email-addr") => VALUE,
        (Kind::Mail, "email-addr") => &["value", "display_name"],
        (Kind::Mail, "email-message") => &[
            "subject",
            "body",
            "from_ref.value",
            "from_ref.display_name",
            "sender_ref.value",
            "sender_ref.display_name",
            "to_refs.value",
        ],
        (Kind::Mail, "file") => &["name", "size", "hashes.MD5", "hashes.SHA-1", "hashes.SHA-256"],
        (Kind::Line, "file") => &["hashes.MD5", "hashes.SHA-1", "hashes.SHA-256", "hashes.SHA-512"],
        (Kind::Flow, "network-traffic") => {
            &["src_ref.value", "dst_ref.value", "src_port", "dst_port", "protocols"]
        }
        (_, _) => return None,
    })
}

fn sees(kind: Kind, comparison: &Comparison) -> bool {
    kind == Kind::Observed
        || properties(kind, &comparison.path.object_type)
            .is_some_and(|properties| properties.contains(&keys_of(comparison).as_str()))
}

/// Of which kinds a pattern can be asked, out of those that are met at all.
///
/// # Errors
///
/// Gives the property that none of them tells of.
pub fn kinds_of(root: &ObservationExpression, met: Kinds) -> Result<Kinds, String> {
    let kinds = satisfiable(root, met).map_err(|comparison| comparison.path.to_string())?;
    let mut blind = Kinds::default();
    let mut last = None;
    each_comparison(root, &mut |comparison| {
        if comparison.negated && comparison.operator == Operator::Exists {
            let is_blind = |kind: Kind| {
                !sees(kind, comparison) && properties(kind, &comparison.path.object_type).is_some()
            };
            blind = blind.or(Kinds::of(is_blind));
            last = Some(comparison.path.to_string());
        }
    });
    let left = kinds.without(blind);
    if left.is_empty() { Err(last.unwrap_or_default()) } else { Ok(left) }
}

fn satisfiable(expression: &ObservationExpression, met: Kinds) -> Result<Kinds, &Comparison> {
    match expression {
        ObservationExpression::Observation(inside) => {
            let kinds = of_one(inside).and(met);
            if kinds.is_empty() { Err(first_unseen(inside, met)) } else { Ok(kinds) }
        }
        ObservationExpression::And(members) | ObservationExpression::FollowedBy(members) => {
            members.iter().try_fold(Kinds::default(), |kinds, member| Ok(kinds.or(satisfiable(member, met)?)))
        }
        ObservationExpression::Or(members) => {
            let mut first = None;
            let mut kinds = Kinds::default();
            for member in members {
                match satisfiable(member, met) {
                    Ok(of_member) => kinds = kinds.or(of_member),
                    Err(unseen) => first = first.or(Some(unseen)),
                }
            }
            match first {
                Some(unseen) if kinds.is_empty() => Err(unseen),
                Some(_) | None => Ok(kinds),
            }
        }
        ObservationExpression::Qualified { inner, .. } => satisfiable(inner, met),
    }
}

/// The kinds that tell of enough for an object of theirs to satisfy the expression.
fn of_one(expression: &ComparisonExpression) -> Kinds {
    match expression {
        ComparisonExpression::Comparison(comparison) => Kinds::of(|kind| sees(kind, comparison)),
        ComparisonExpression::And(members) => members.iter().map(of_one).fold(Kinds::ALL, Kinds::and),
        ComparisonExpression::Or(members) => members.iter().map(of_one).fold(Kinds::default(), Kinds::or),
    }
}

fn first_unseen(expression: &ComparisonExpression, met: Kinds) -> &Comparison {
    match expression {
        ComparisonExpression::Comparison(comparison) => comparison,
        ComparisonExpression::And(members) | ComparisonExpression::Or(members) => {
            let unseen = members.iter().find(|member| of_one(member).and(met).is_empty());
            // Each may be seen by some kind, and no kind by all.
            let member = unseen.or(members.last()).unwrap_or(&members[0]);
            first_unseen(member, met)
        }
    }
}

fn each_comparison<'p>(expression: &'p ObservationExpression, visit: &mut dyn FnMut(&'p Comparison)) {
    match expression {
        ObservationExpression::Observation(inside) => each_inside(inside, visit),
        ObservationExpression::And(members)
        | ObservationExpression::Or(members)
        | ObservationExpression::FollowedBy(members) => {
            for member in members {
                each_comparison(member, visit);
            }
        }
        ObservationExpression::Qualified { inner, .. } => each_comparison(inner, visit),
    }
}

fn each_inside<'p>(expression: &'p ComparisonExpression, visit: &mut dyn FnMut(&'p Comparison)) {
    match expression {
        ComparisonExpression::Comparison(comparison) => visit(comparison),
        ComparisonExpression::And(members) | ComparisonExpression::Or(members) => {
            for member in members {
                each_inside(member, visit);
            }
        }
    }
}

/// Something that was met.
#[derive(Clone, Debug)]
pub struct Sight {
    kind: Kind,
    objects: Vec<Value>,
    /// Those that have a value only, each once.
    valued: BTreeMap<(&'static str, String), String>,
    first: Instant,
    last: Instant,
    count: u32,
    is_dated: bool,
}

/// A file in a mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenFile<'a> {
    /// Its name.
    pub name: Option<&'a str>,
    /// How many bytes.
    pub size: Option<u64>,
    /// Digests by the standard's names.
    pub hashes: Vec<(&'static str, String)>,
}

impl Sight {
    /// Nothing yet, at an instant. Without one, it can have no part in patterns about several observations, for these are about
    /// times.
    #[must_use]
    pub fn new(kind: Kind, at: Option<Instant>) -> Self {
        let instant = at.unwrap_or(Instant::from_unix(0, 0));
        Self {
            kind,
            objects: Vec::new(),
            valued: BTreeMap::new(),
            first: instant,
            last: instant,
            count: 1,
            is_dated: at.is_some(),
        }
    }

    /// A question for a name, in lower case and without a dot at its end.
    #[must_use]
    pub fn question(name: &str, at: Instant) -> Self {
        let mut sight = Self::new(Kind::Question, Some(at));
        sight.name(name);
        sight
    }

    /// A flow. `protocol` is the number of IP's next protocol.
    #[must_use]
    pub fn flow(
        source: (IpAddr, u16),
        destination: (IpAddr, u16),
        protocol: u8,
        at: Option<Instant>,
    ) -> Self {
        let mut sight = Self::new(Kind::Flow, at);
        let (from, to) = (sight.address(source.0), sight.address(destination.0));
        let mut protocols = vec![if source.0.is_ipv4() { "ipv4" } else { "ipv6" }];
        protocols.extend(match protocol {
            1 => Some("icmp"),
            6 => Some("tcp"),
            17 => Some("udp"),
            58 => Some("ipv6-icmp"),
            132 => Some("sctp"),
            _ => None,
        });
        let mut traffic =
            json!({"type": "network-traffic", "src_ref": from, "dst_ref": to, "protocols": protocols});
        // A protocol without ports has none; zero stands for what the exporter did not tell.
        for (key, port) in [("src_port", source.1), ("dst_port", destination.1)] {
            if port != 0 {
                traffic[key] = json!(port);
            }
        }
        sight.add(traffic);
        sight
    }

    /// What an `observed-data` object tells, with the objects that it is about, each under the identifier that others name it by.
    #[must_use]
    pub fn observed(
        first: Instant,
        last: Instant,
        count: u32,
        objects: impl IntoIterator<Item = (String, Value)>,
    ) -> Self {
        let mut sight = Self { first, last, count, ..Self::new(Kind::Observed, Some(first)) };
        sight.objects.extend(objects.into_iter().filter_map(|(id, mut object)| {
            object.as_object_mut()?.insert("id".to_owned(), json!(id));
            Some(object)
        }));
        sight
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether it is known when it was.
    #[must_use]
    pub fn is_dated(&self) -> bool {
        self.is_dated
    }

    pub(crate) fn last(&self) -> Instant {
        self.last
    }

    /// The objects.
    #[must_use]
    pub fn objects(&self) -> &[Value] {
        &self.objects
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Keeps the objects that `stays` says.
    pub fn retain(&mut self, stays: impl FnMut(&Value) -> bool) {
        self.objects.retain(stays);
    }

    /// Adds an object and gives the identifier that others may name it by.
    pub fn add(&mut self, mut object: Value) -> String {
        let id = self.objects.len().to_string();
        object["id"] = json!(id);
        self.objects.push(object);
        id
    }

    fn valued(&mut self, kind: &'static str, value: &str) -> String {
        let key = (kind, value.to_owned());
        if let Some(id) = self.valued.get(&key) {
            return id.clone();
        }
        let id = self.add(json!({"type": kind, "value": value}));
        self.valued.insert(key, id.clone());
        id
    }

    /// Adds a name of a host.
    pub fn name(&mut self, name: &str) -> String {
        self.valued("domain-name", name.trim_end_matches('.').to_ascii_lowercase().as_str())
    }

    /// Adds an address.
    pub fn address(&mut self, address: IpAddr) -> String {
        let address = address.to_canonical();
        self.valued(if address.is_ipv4() { "ipv4-addr" } else { "ipv6-addr" }, &address.to_string())
    }

    /// Adds a URL.
    pub fn url(&mut self, url: &str) -> String {
        self.valued("url", url)
    }

    /// Adds an e-mail address.
    pub fn mailbox(&mut self, address: &str) -> String {
        self.valued("email-addr", address)
    }

    /// Gives an object that was added a property more.
    pub fn describe(&mut self, id: &str, property: &str, text: &str) {
        // Nothing is taken away before all is there, so an identifier is a place.
        if let Some(object) = id.parse::<usize>().ok().and_then(|at| self.objects.get_mut(at)) {
            object[property] = json!(text);
        }
    }

    /// Adds a file.
    pub fn file(&mut self, file: &SeenFile<'_>) -> String {
        let mut object = json!({"type": "file"});
        if let Some(name) = file.name {
            object["name"] = json!(name);
        }
        if let Some(size) = file.size {
            object["size"] = json!(size);
        }
        if !file.hashes.is_empty() {
            let hashes: Map<String, Value> =
                file.hashes.iter().map(|(name, digest)| ((*name).to_owned(), json!(digest))).collect();
            object["hashes"] = hashes.into();
        }
        self.add(object)
    }

    /// The observation.
    #[must_use]
    pub fn observation(&self) -> Observation {
        let id = |object: &Value| object["id"].as_str().unwrap_or_default().to_owned();
        let ids: Vec<String> = self.objects.iter().map(id).collect();
        let objects = ids.iter().map(String::as_str).zip(&self.objects);
        Observation::new(self.first, self.last, self.count, objects)
    }
}

/// An instant of ours, as patterns count time.
#[must_use]
pub fn instant(at: model::Timestamp) -> Instant {
    let micros = at.as_micros();
    let nanos = u32::try_from(micros.rem_euclid(1_000_000)).unwrap_or(0) * 1_000;
    Instant::from_unix(micros.div_euclid(1_000_000), nanos)
}

#[cfg(test)]
mod tests {
    use stix_pattern::{BUDGET, Pattern, Verdict};

    use super::*;

    fn kinds(pattern: &str, met: Kinds) -> Result<Vec<Kind>, String> {
        let pattern = Pattern::parse(pattern).unwrap();
        let kinds = kinds_of(pattern.root(), met)?;
        Ok(Kind::ALL.into_iter().filter(|kind| kinds.has(*kind)).collect())
    }

    #[test]
    fn a_pattern_is_asked_of_those_who_can_tell() {
        use Kind::{Flow, Line, Mail, Observed, Question};
        let cases: &[(&str, Result<&[Kind], &str>)] = &[
            ("[domain-name:value LIKE '%.top']", Ok(&[Question, Mail])),
            ("[file:name = 'a' AND file:size > 3]", Ok(&[Mail])),
            ("[file:name = 'a' AND file:ctime > t'2020-01-01T00:00:00Z']", Err("file:ctime")),
            ("[email-message:to_refs[0].value = 'a@b.example']", Ok(&[Mail])),
            ("[network-traffic:dst_port IN (1, 2)]", Ok(&[Flow])),
            ("[mutex:name = 'x']", Err("mutex:name")),
            ("[mutex:name = 'x' OR url:value LIKE '%x']", Ok(&[Mail])),
            // Two brackets may be satisfied by different ones.
            (
                "[network-traffic:dst_port = 1] FOLLOWEDBY [domain-name:value = 'a.example']",
                Ok(&[Question, Mail, Flow]),
            ),
            ("[url:value = 'a'] FOLLOWEDBY [mutex:name = 'b']", Err("mutex:name")),
            // It would be true of all mails.
            ("[file:name = 'a' AND NOT EXISTS file:ctime]", Err("file:ctime")),
            ("[file:name = 'a' AND NOT EXISTS file:size]", Ok(&[Mail])),
            ("[domain-name:value = 'a' OR NOT EXISTS file:ctime]", Ok(&[Question])),
        ];
        for (pattern, want) in cases {
            let want = want.map(<[Kind]>::to_vec).map_err(ToOwned::to_owned);
            assert_eq!(kinds(pattern, Kinds::MET), want, "{pattern}");
        }
        assert_eq!(kinds("[mutex:name = 'x']", Kinds::ALL), Ok(vec![Observed]));
        assert_eq!(kinds("[url:value LIKE '%x']", Kinds::ALL), Ok(vec![Mail, Line, Observed]));
    }

    #[test]
    fn a_flow_is_told_in_the_words_of_the_standard() {
        let ends = (("192.0.2.1".parse().unwrap(), 40_000), ("2001:db8::1".parse().unwrap(), 443));
        let sight = Sight::flow(ends.0, ends.1, 6, Some(Instant::from_unix(0, 0)));
        let observation = sight.observation();
        for (pattern, want) in [
            (
                "[network-traffic:dst_ref.value = '2001:db8::1' AND network-traffic:dst_port = 443]",
                Verdict::Match,
            ),
            ("[network-traffic:protocols[*] = 'tcp']", Verdict::Match),
            ("[network-traffic:src_ref.value ISSUBSET '192.0.2.0/24']", Verdict::Match),
            ("[network-traffic:src_port = 443]", Verdict::NoMatch),
            ("[ipv4-addr:value = '192.0.2.1']", Verdict::Match),
        ] {
            let found = Pattern::parse(pattern).unwrap().compile().evaluate([&observation], BUDGET);
            assert_eq!(found, want, "{pattern}");
        }
    }
}
