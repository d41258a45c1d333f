//! Labels: the release attributes of an object.
//!
//! An object's label is computed once, when the object is accepted, from what its markings demand, who submitted
//! it, the collection it went to and the audience that the publisher named. Two objects with the same attributes
//! share one label. A marking's own identifier and dates are no part of it, so that labels stay few.
//!
//! Two attributes speak of *other* labels, which is how DESIGN.md 3.2 (no inference) costs nothing at read time:
//!
//! - `ends`: a relationship whose ends carry labels of their own is open only to those to whom every end is open,
//!   so a relationship with a withheld end is withheld with it;
//! - `unless`: a derived object (a redacted copy under an identifier of its own) stands in for the whole one, and
//!   is open only to those to whom the whole one is not.
//!
//! Worked example: a relationship from a TLP:GREEN indicator (label 3) to a TLP:RED actor (label 7), itself
//! marked green, gets the label `{demands: green, ends: {7}}`. Label 3 is not listed because it demands no more
//! than the relationship does itself.

use std::collections::BTreeSet;

use model::{CollectionId, LabelId, MemberId, Principal, Tier, Timestamp};
use serde::{Deserialize, Serialize};

use crate::AcsLabel;

/// Whom the publisher named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Audience {
    /// All whom tier and markings admit.
    Everyone,
    /// These members and nobody else; an empty set is nobody.
    Named(BTreeSet<MemberId>),
}

/// What the markings of an object demand of a reader.
///
/// Where an object carries several markings of one kind the strictest counts, and every ACS marking has to admit
/// the reader (domain note 6.1: intersect all).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Demands {
    /// The strictest TLP level: 0 CLEAR, 1 GREEN, 2 AMBER, 3 AMBER+STRICT, 4 RED.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tlp: Option<u8>,
    /// The strictest PAP level: 0 CLEAR, 1 GREEN, 2 AMBER, 3 RED.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pap: Option<u8>,
    /// The ACS 3.0 markings, each without its identifier and dates.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub acs: BTreeSet<AcsLabel>,
    /// The submitter's AIS consent (`everyone`, `usg`, `none`, `everyone-cisa-proprietary`).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub consent: Option<String>,
    /// Markings that the programme does not know; any of them closes the object to every member.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub unknown: BTreeSet<String>,
}

impl Demands {
    /// What an object demands that carries both these markings and `other`'s.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.tlp = self.tlp.max(other.tlp);
        self.pap = self.pap.max(other.pap);
        self.acs.extend(other.acs.iter().cloned());
        self.consent = stricter_consent(self.consent.take(), other.consent.as_deref());
        self.unknown.extend(other.unknown.iter().cloned());
        self
    }
}

/// From the least to the most restrictive AIS consent; an unknown word is the most restrictive.
fn consent_rank(consent: &str) -> u8 {
    match consent {
        "everyone" => 0,
        "everyone-cisa-proprietary" => 1,
        "usg" => 2,
        _ => 3,
    }
}

fn stricter_consent(ours: Option<String>, theirs: Option<&str>) -> Option<String> {
    match (ours, theirs) {
        (Some(a), Some(b)) if consent_rank(b) > consent_rank(&a) => Some(b.to_owned()),
        (Some(a), _) => Some(a),
        (None, b) => b.map(str::to_owned),
    }
}

/// Whether TLP level `other` is sure to ask no more than level `ours`. No level at all stands for whatever the programme
/// sets for unmarked objects, so it compares with nothing but itself.
fn is_at_most(other: Option<u8>, ours: Option<u8>) -> bool {
    match (other, ours) {
        (None, None) => true,
        (Some(other), Some(ours)) => other <= ours,
        (None, Some(_)) | (Some(_), None) => false,
    }
}

/// The interned release attributes of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Label {
    /// The collection that the object is in.
    pub collection: CollectionId,
    /// The collection's tier.
    pub tier: Tier,
    /// What its markings demand.
    pub demands: Demands,
    /// Who submitted it.
    pub creator: Principal,
    /// Whom the publisher named.
    pub audience: Audience,
    /// Not before this instant (an embargo).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub release_at: Option<Timestamp>,
    /// Not from this instant on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub release_until: Option<Timestamp>,
    /// Labels that have to be open as well: those of the ends of a relationship.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub ends: BTreeSet<LabelId>,
    /// A label that has to be closed: that of the whole object for which this one stands in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unless: Option<LabelId>,
}

impl Label {
    /// The label as canonical bytes: equal labels have equal bytes, so they can be interned by them.
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        reason = "a label has string keys and finite numbers, which always serialise"
    )]
    pub fn canonical(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a label has string keys and finite numbers, which always serialise")
    }

    /// Whether everyone to whom `self` is open is sure to have `other` open too, so that naming `other` as an end
    /// of `self` would add nothing. Errs on the side of naming it.
    #[must_use]
    pub fn is_no_wider_than(&self, other: &Self) -> bool {
        let Self { collection, tier, demands, creator, audience, release_at, release_until, ends, unless } =
            other;
        self.collection == *collection
            && self.tier == *tier
            && self.creator == *creator
            && self.audience == *audience
            && (release_at.is_none() || self.release_at == *release_at)
            && (release_until.is_none() || self.release_until == *release_until)
            && ends.is_subset(&self.ends)
            && (unless.is_none() || self.unless == *unless)
            && is_at_most(demands.tlp, self.demands.tlp)
            && demands.pap <= self.demands.pap
            && demands.acs.is_subset(&self.demands.acs)
            && demands.unknown.is_subset(&self.demands.unknown)
            && (demands.consent.is_none() || demands.consent == self.demands.consent)
    }
}

#[cfg(test)]
mod tests {
    use model::Role;
    use proptest::prelude::*;

    use super::*;
    use crate::AcsEffect::{Deny, Permit};

    fn set<T: Ord + Clone>(items: &[T]) -> BTreeSet<T> {
        items.iter().cloned().collect()
    }

    fn label() -> Label {
        Label {
            collection: "a1b2c3d4-0000-4000-8000-000000000001".parse().unwrap(),
            tier: "programme".parse().unwrap(),
            demands: Demands::default(),
            creator: Principal::Role(Role::Operator),
            audience: Audience::Everyone,
            release_at: None,
            release_until: None,
            ends: BTreeSet::new(),
            unless: None,
        }
    }

    #[test]
    fn of_two_markings_the_stricter_counts() {
        let (tlp, pap) = (Some(3), Some(1));
        let public = AcsLabel::unclassified(Permit, Permit);
        let private = AcsLabel::unclassified(Deny, Deny);
        let one = Demands { tlp, acs: set(std::slice::from_ref(&public)), ..Demands::default() };
        let other = Demands {
            tlp: Some(1),
            pap,
            acs: set(std::slice::from_ref(&private)),
            unknown: set(&["marking-definition--x".to_owned()]),
            ..Demands::default()
        };
        let want =
            Demands { tlp, pap, acs: set(&[public, private]), unknown: other.unknown.clone(), consent: None };
        assert_eq!(one.clone().and(&other), want);
        assert_eq!(other.and(&one), want);
    }

    #[test]
    fn the_most_restrictive_consent_counts() {
        let cases = [
            (None, None, None),
            (None, Some("everyone"), Some("everyone")),
            (Some("everyone"), None, Some("everyone")),
            (Some("everyone"), Some("everyone-cisa-proprietary"), Some("everyone-cisa-proprietary")),
            (Some("usg"), Some("everyone-cisa-proprietary"), Some("usg")),
            (Some("none"), Some("usg"), Some("none")),
            (Some("usg"), Some("nobody knows"), Some("nobody knows")),
        ];
        for (ours, theirs, want) in cases {
            let of =
                |consent: Option<&str>| Demands { consent: consent.map(str::to_owned), ..Demands::default() };
            assert_eq!(of(ours).and(&of(theirs)).consent.as_deref(), want, "{ours:?} {theirs:?}");
            assert_eq!(of(theirs).and(&of(ours)).consent.as_deref(), want, "{theirs:?} {ours:?}");
        }
    }

    #[test]
    fn equal_labels_have_equal_bytes_and_others_do_not() {
        let member = MemberId::from_bits;
        let labels = [
            label(),
            Label { tier: "cleared".parse().unwrap(), ..label() },
            Label { creator: Principal::Member(member(1)), ..label() },
            Label { audience: Audience::Named(BTreeSet::new()), ..label() },
            Label { audience: Audience::Named(set(&[member(1), member(2)])), ..label() },
            Label { demands: Demands { tlp: Some(0), ..Demands::default() }, ..label() },
            Label { release_at: Some(Timestamp::EPOCH), ..label() },
            Label { release_until: Some(Timestamp::EPOCH), ..label() },
            Label { ends: set(&[LabelId::new(1)]), ..label() },
            Label { unless: Some(LabelId::new(1)), ..label() },
        ];
        for (i, one) in labels.iter().enumerate() {
            for (j, other) in labels.iter().enumerate() {
                assert_eq!(one.canonical() == other.canonical(), i == j, "{one:?} {other:?}");
            }
            let back: Label = serde_json::from_slice(&one.canonical()).unwrap();
            assert_eq!(back, *one);
        }
        assert_eq!(
            String::from_utf8(label().canonical()).unwrap(),
            r#"{"collection":"a1b2c3d4-0000-4000-8000-000000000001","tier":"programme","demands":{},"creator":{"role":"operator"},"audience":"everyone"}"#,
            "what is stored stays readable: these bytes do not change"
        );
    }

    #[test]
    fn a_label_is_no_wider_than_one_that_demands_less() {
        let amber =
            Label { demands: Demands { tlp: Some(2), pap: Some(2), ..Demands::default() }, ..label() };
        let green = Label { demands: Demands { tlp: Some(1), ..Demands::default() }, ..label() };
        let named = Label { audience: Audience::Named(set(&[MemberId::from_bits(1)])), ..green.clone() };
        let embargo = Label { release_at: Some(Timestamp::EPOCH), ..green.clone() };
        let closed = Label {
            demands: Demands { unknown: set(&["x".to_owned()]), ..green.demands.clone() },
            ..green.clone()
        };
        let cases = [
            // one, other, is one sure to be no wider than other?
            (&amber, &amber, true),
            (&amber, &green, true),
            (&green, &amber, false),
            (&green, &named, false),
            (&green, &embargo, false),
            (&embargo, &green, true),
            (&green, &closed, false),
            (&closed, &green, true),
        ];
        for (one, other, want) in cases {
            assert_eq!(one.is_no_wider_than(other), want, "{one:?} {other:?}");
        }
    }

    fn demands() -> impl Strategy<Value = Demands> {
        let consent = prop::option::of(prop::sample::select(vec!["everyone", "usg", "none"]));
        let unknown = prop::collection::btree_set(prop::sample::select(vec!["x", "y"]), 0..2);
        (prop::option::of(0..5_u8), prop::option::of(0..4_u8), consent, unknown).prop_map(
            |(tlp, pap, consent, unknown)| Demands {
                tlp,
                pap,
                acs: BTreeSet::new(),
                consent: consent.map(str::to_owned),
                unknown: unknown.into_iter().map(str::to_owned).collect(),
            },
        )
    }

    proptest! {
        #[test]
        fn demands_add_up_in_any_order(a in demands(), b in demands(), c in demands()) {
            prop_assert_eq!(a.clone().and(&b), b.clone().and(&a));
            prop_assert_eq!(a.clone().and(&b).and(&c), a.clone().and(&b.clone().and(&c)));
            prop_assert_eq!(a.clone().and(&a), a.clone());
            prop_assert_eq!(a.clone().and(&Demands::default()), a);
        }
    }
}
