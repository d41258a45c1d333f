//! The picture against a naive reading of the whole log, and the encoding against itself.

#![expect(clippy::unwrap_used, reason = "a test states what it expects")]

mod frame;

use std::collections::BTreeSet;

use frame::{Edit, as_of, end, listing, one_of_each, retraction, same, stake};
use proptest::prelude::*;
use ties::{
    AsOf, Ending, EntityId, Period, Picture, Registry, Said, Statement, StatementId, Truth, decode, encode,
};

const ENTITIES: [&str; 5] = ["a", "b", "c", "d", "e"];
const DAYS: [&str; 5] = ["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-04", "2020-02-01"];
const DATES: [&str; 5] = ["2019", "2020-01", "2020-01-02", "2020-01-03", "2020"];

/// One tie, as text: everything that a picture says of it.
type Shown = String;

/// The picture's definition, read literally: slow, and with no index at all.
struct Naive<'s> {
    all: &'s [Statement],
    as_of: AsOf,
}

impl<'s> Naive<'s> {
    fn key(statement: &Statement) -> (model::Timestamp, &StatementId) {
        (statement.recorded, &statement.id)
    }

    fn counts(&self, statement: &Statement) -> bool {
        let retracts = |other: &&Statement| {
            let Said::Retraction { of, .. } = &other.said else { return false };
            let is_retraction = matches!(statement.said, Said::Retraction { .. });
            let after = other.recorded > statement.recorded
                || (other.recorded == statement.recorded && (!is_retraction || other.id > statement.id));
            *of == statement.id && after && self.counts(other)
        };
        statement.recorded <= self.as_of.known && !self.all.iter().any(|other| retracts(&other))
    }

    fn counting(&self) -> impl Iterator<Item = &'s Statement> {
        let all: Vec<&'s Statement> = self.all.iter().filter(|s| self.counts(s)).collect();
        all.into_iter()
    }

    fn class(&self, id: &str) -> (String, BTreeSet<String>) {
        let mut class = BTreeSet::from([id.to_owned()]);
        let mut merged_away = BTreeSet::new();
        loop {
            let before = class.len();
            for statement in self.counting() {
                if let Said::Same { kept, merged, .. } = &statement.said
                    && (class.contains(kept.as_str()) || class.contains(merged.as_str()))
                {
                    class.extend([kept.to_string(), merged.to_string()]);
                    merged_away.insert(merged.to_string());
                }
            }
            if class.len() == before {
                let stays = class.difference(&merged_away).next().or(class.first()).unwrap();
                return (stays.clone(), class);
            }
        }
    }

    /// What the tie or listing of that identifier amounts to.
    fn shown(&self, id: &str, is_listing: bool) -> Option<(String, String, Shown)> {
        let low = |statement: &Statement| statement.source.confidence == ties::Confidence::Low;
        let coming = |statement: &Statement, on: Option<ties::PartialDate>| {
            on.is_some_and(|on| on.earliest() > ties::Day::of(statement.recorded))
        };
        let (mut sound, mut rumour, mut completed, mut announced) = (None, None, None, None);
        let later = |best: &mut Option<&'s Statement>, new: &'s Statement| {
            *best = Some(best.filter(|best| Self::key(best) > Self::key(new)).unwrap_or(new));
        };
        for statement in self.counting() {
            match &statement.said {
                Said::Tie(tie) if tie.id.as_str() == id && !is_listing => {
                    later(if low(statement) { &mut rumour } else { &mut sound }, statement);
                }
                Said::Listing(entry) if entry.id.as_str() == id && is_listing => {
                    later(if low(statement) { &mut rumour } else { &mut sound }, statement);
                }
                Said::End(end) if end.tie.as_str() == id => {
                    let ends =
                        end.by == Ending::Completed && !coming(statement, Some(end.on)) && !low(statement);
                    later(if ends { &mut completed } else { &mut announced }, statement);
                }
                Said::Entity(_)
                | Said::Tie(_)
                | Said::End(_)
                | Said::Listing(_)
                | Said::Same { .. }
                | Said::Retraction { .. } => {}
            }
        }
        let mut speaker = sound.or(rumour)?;
        let void = |end: &&Statement| {
            end.recorded < speaker.recorded && end.source.document == speaker.source.document
        };
        let completed = completed.filter(|end| !void(end));
        let parts = |speaker: &Statement| match &speaker.said {
            Said::Tie(tie) => {
                let plan = matches!(tie.kind, ties::TieKind::Plans(_));
                let own_end = coming(speaker, tie.valid.to) && !plan;
                (tie.from.to_string(), tie.to.to_string(), tie.valid, own_end)
            }
            Said::Listing(entry) => (entry.entity.to_string(), entry.list.to_string(), entry.valid, false),
            Said::Entity(_) | Said::End(_) | Said::Same { .. } | Said::Retraction { .. } => {
                unreachable!("only ties and listings speak")
            }
        };
        let holds = |speaker: &Statement| {
            let (_, _, valid, own_end) = parts(speaker);
            let begun = valid.from.map_or(Truth::Certain, |from| from.has_come(self.as_of.day));
            let is_over = valid.to.is_some_and(|to| !own_end && self.as_of.day >= to.settled());
            let truth = if is_over { Truth::No } else { begun };
            if low(speaker) { truth.min(Truth::Possible) } else { truth }
        };
        let own_end = parts(speaker).3.then_some(speaker);
        let announced = announced.filter(|end| !void(end)).or(own_end).map(|end| end.id.to_string());
        let mut truth = holds(speaker);
        let mut disputed = None;
        if let Some(end) = completed {
            let Said::End(said) = &end.said else { unreachable!("an end") };
            let is_over = self.as_of.day >= said.on.settled();
            if end.recorded < speaker.recorded {
                disputed = Some(end.id.to_string());
            }
            if is_over {
                let left = if disputed.is_some() { Truth::Possible } else { Truth::No };
                truth = truth.min(left);
            }
        }
        let newest = |rumour: &Statement| {
            rumour.recorded > speaker.recorded && completed.is_none_or(|end| rumour.recorded > end.recorded)
        };
        if let (Truth::No, Some(_), Some(rumour)) = (truth, sound, rumour.filter(|rumour| newest(rumour))) {
            truth = holds(rumour);
            speaker = rumour;
        }
        let (from, to, ..) = parts(speaker);
        let from = self.class(&from).0;
        let to = if is_listing { to } else { self.class(&to).0 };
        let shown = format!("{id} {from} {to} {} {truth:?} {announced:?} {disputed:?}", speaker.id);
        (truth != Truth::No).then_some((from, to, shown))
    }
}

fn ids() -> impl Iterator<Item = String> {
    (0..4).map(|n| format!("t{n}"))
}

fn of_picture(registry: &Registry, as_of: AsOf) -> Vec<(String, Vec<Shown>)> {
    let picture = registry.picture(as_of);
    let name = |id: Option<&StatementId>| id.map(ToString::to_string);
    let tie = |known: &ties::KnownTie| {
        let (announced, disputed) = (name(known.announced_end.as_ref()), name(known.disputed_end.as_ref()));
        let (tie, truth) = (&known.tie, known.truth);
        format!("{} {} {} {} {truth:?} {announced:?} {disputed:?}", tie.id, tie.from, tie.to, known.statement)
    };
    let mut shown = Vec::new();
    for text in ENTITIES {
        let id: EntityId = text.parse().unwrap();
        shown.push((format!("into {text}"), picture.ties_into(&id).iter().map(tie).collect()));
        shown.push((format!("out of {text}"), picture.ties_out_of(&id).iter().map(tie).collect()));
        let listed = picture.listings(&id);
        shown.push((
            format!("listings of {text}"),
            listed.iter().map(|known| format!("{} {}", known.listing.id, known.statement)).collect(),
        ));
        shown.push((format!("canonical {text}"), vec![picture.canonical(&id).to_string()]));
    }
    shown
}

fn of_naive(all: &[Statement], as_of: AsOf) -> Vec<(String, Vec<Shown>)> {
    let naive = Naive { all, as_of };
    let mut shown = Vec::new();
    for text in ENTITIES {
        let (stays, _) = naive.class(text);
        let ties: Vec<_> = ids().filter_map(|id| naive.shown(&id, false)).collect();
        let of = |side: fn(&(String, String, Shown)) -> &String| {
            let ties = ties.iter().filter(|tie| *side(tie) == stays);
            ties.map(|tie| tie.2.clone()).collect::<Vec<_>>()
        };
        shown.push((format!("into {text}"), of(|tie| &tie.1)));
        shown.push((format!("out of {text}"), of(|tie| &tie.0)));
        let listed = ids().filter_map(|id| naive.shown(&id, true)).filter(|entry| entry.0 == stays);
        let listed = listed.map(|entry| {
            let mut words = entry.2.split(' ');
            let id = words.next().unwrap().to_owned();
            format!("{id} {}", words.nth(2).unwrap())
        });
        shown.push((format!("listings of {text}"), listed.collect()));
        shown.push((format!("canonical {text}"), vec![stays]));
    }
    shown
}

fn statements() -> impl Strategy<Value = Vec<Statement>> {
    let one = (0..10_u8, 0..4_usize, 0..5_usize, 0..5_usize, 0..5_usize, 0..3_usize, any::<u8>());
    proptest::collection::vec(one, 0..24).prop_map(|seeds| {
        let made =
            seeds.into_iter().enumerate().map(|(n, (kind, tie, from, to, recorded, document, more))| {
                // Names in no order, so that the order of names is not the order of arrival.
                let id = format!("s{}", (n * 7) % 24);
                let tie = format!("t{tie}");
                let (a, b) = (ENTITIES[from], ENTITIES[to]);
                let date = DATES[usize::from(more) % 5];
                let mut made = match kind {
                    0..=3 => stake(&id, &tie, a, b, &format!("{}%", more % 100)),
                    4 => end(&id, &tie, date, Ending::Completed),
                    5 => end(&id, &tie, date, Ending::Announced),
                    6 => listing(&id, &tie, "list", a),
                    7 => same(&id, a, b),
                    _ => retraction(&id, &format!("s{}", more % 24)),
                };
                if more & 0x08 != 0 {
                    made.valid(Period { from: Some(date.parse().unwrap()), to: None });
                }
                let made = made.recorded(DAYS[recorded]).by(["x", "y", "z"][document]);
                if more & 0x30 == 0x30 { made.doubtful() } else { made }
            });
        made.filter(|made| match &made.said {
            Said::Same { kept, merged, .. } => kept != merged,
            Said::Retraction { of, .. } => *of != made.id,
            Said::Entity(_) | Said::Tie(_) | Said::End(_) | Said::Listing(_) => true,
        })
        .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_picture_is_what_the_whole_log_amounts_to(all in statements()) {
        let mut registry = Registry::new();
        prop_assert_eq!(registry.add(all.clone()).refused, vec![]);
        for day in ["2019-06-01", "2020-01-01", "2020-01-02", "2020-01-03", "2020-02-01", "2021-01-01"] {
            for known in DAYS {
                let as_of = as_of(day, known);
                prop_assert_eq!(of_picture(&registry, as_of), of_naive(&all, as_of));
            }
        }
    }

    #[test]
    fn the_order_of_arrival_does_not_matter(all in statements(), seed: u64) {
        let mut shuffled = all.clone();
        // A permutation that depends on the seed and on nothing else.
        shuffled.sort_by_key(|s| s.id.as_str().bytes().fold(seed, |h, b| {
            (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3).rotate_left(29)
        }));
        let (mut first, mut second) = (Registry::new(), Registry::new());
        first.add(all);
        for statement in shuffled {
            second.add(vec![statement]);
        }
        for known in DAYS {
            let as_of = as_of("2020-01-03", known);
            prop_assert_eq!(of_picture(&first, as_of), of_picture(&second, as_of));
        }
    }

    #[test]
    fn a_batch_comes_back_whole_and_loads_like_its_statements(all in statements()) {
        let bytes = encode(&all);
        prop_assert_eq!(&decode(&bytes).unwrap(), &all);
        let (mut added, mut loaded) = (Registry::new(), Registry::new());
        let (by_add, by_load) = (added.add(all.clone()), loaded.load(&bytes).unwrap());
        prop_assert_eq!(by_add, by_load);
        prop_assert_eq!(loaded.log(0..loaded.len()).collect::<Vec<_>>(), all);
        prop_assert_eq!(loaded.load(&bytes).unwrap().new.len(), 0);
    }

    #[test]
    fn a_damaged_batch_is_read_or_refused(at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        let mut bytes = encode(&one_of_each());
        let place = at.index(bytes.len());
        bytes[place] = byte;
        let cut = cut.index(bytes.len());
        for damaged in [&bytes[..], &bytes[..cut]] {
            let mut registry = Registry::new();
            let (read, loaded) = (decode(damaged), registry.load(damaged));
            prop_assert_eq!(read.is_ok(), loaded.is_ok());
            // Whatever was taken in can be given out.
            prop_assert_eq!(registry.log(0..registry.len()).count(), registry.len());
            let _ = of_picture(&registry, as_of("2020-01-03", "2020-01-03"));
        }
    }

    #[test]
    fn any_bytes_are_refused(bytes: Vec<u8>) {
        prop_assert!(decode(&bytes).is_err());
        let framed = [b"TIES\x01", &bytes[..]].concat();
        prop_assert_eq!(decode(&framed).is_ok(), Registry::new().load(&framed).is_ok());
    }
}

#[test]
fn every_kind_of_statement_comes_back() {
    let statements = one_of_each();
    let bytes = encode(&statements);
    assert_eq!(decode(&bytes).unwrap(), statements);
    assert_eq!(encode(&decode(&bytes).unwrap()), bytes);
    let text = serde_json::to_string(&statements).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Statement>>(&text).unwrap(), statements);
}

#[test]
fn a_refusal_names_the_place() {
    let bytes = encode(&one_of_each());
    let cases: [(Vec<u8>, &str); 5] = [
        (b"PK\x03\x04".to_vec(), "byte 0: this is not a batch of statements"),
        (b"TIES\x02".to_vec(), "byte 5: version 2 of the encoding is not known here"),
        (bytes[..bytes.len() - 1].to_vec(), "it ends too early"),
        ([&bytes[..], b"x"].concat(), "something follows the end"),
        (b"TIES\x01\x01\x00".to_vec(), "byte 6: an identifier is empty; give every entity one"),
    ];
    for (bytes, want) in cases {
        let error = decode(&bytes).unwrap_err().to_string();
        assert!(error.contains(want), "{error} should say {want}");
    }
}
