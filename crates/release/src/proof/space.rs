//! The space that is walked: every class of readers and labels that the programme's policies can tell apart.
//!
//! One [`Variable`] for each thing that a hub says about a reader or a label; its values are the classes. Value 0 is the
//! one that stands for all where no policy asks.

use std::collections::{BTreeMap, BTreeSet};

use model::{Member, MemberId, MemberKind, Principal, Role, Standing, Subject, Tier, Timestamp};
use programme::{CaseAction, Collection, PAP_LEVELS, Publishers, TLP_LEVELS};

use super::words::Words;
use crate::acs::{AcsEffect, AcsFurtherSharing, AcsPrivilege, AcsScope};
use crate::{AcsAction, AcsLabel, Audience, Demands, Label, Policy};

/// How many tokens of one attribute are combined in every way; with more, the proof says that it is not whole.
const TOKENS_MAX: usize = 6;

/// How many members are put together to an audience in every way.
const AUDIENCE_MAX: usize = 6;

/// A place in the space: for each variable the number of its value.
pub(super) type Place = Vec<Option<usize>>;

/// What is said about a reader or a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Variable {
    Reader,
    Kind,
    Identity,
    Nationalities,
    Organisations,
    Entities,
    Communities,
    Accesses,
    Clearance,
    /// On the tier of this number.
    Standing(usize),
    Collection,
    Tier,
    Tlp,
    Pap,
    Unknown,
    Audience,
    Creator,
    Consent,
    Marking,
}

impl Variable {
    /// The names of the schema by which a policy asks for it.
    fn attributes(self) -> &'static [&'static str] {
        match self {
            Self::Reader | Self::Marking => &[],
            Self::Kind => &["kind"],
            Self::Identity => &["identity"],
            Self::Nationalities => &["nationalities"],
            Self::Organisations => &["organisations"],
            Self::Entities => &["entities"],
            Self::Communities => &["communities"],
            Self::Accesses => &["accesses"],
            Self::Clearance => &["clearance"],
            Self::Standing(_) => &["listed", "conditions"],
            Self::Collection => &["collection"],
            Self::Tier => &["tier"],
            Self::Tlp => &["tlp", "marked"],
            Self::Pap => &["pap"],
            Self::Unknown => &["unknown"],
            Self::Audience => &["named", "audience"],
            Self::Creator => &["creator", "creator_role"],
            Self::Consent => &["consent"],
        }
    }

    fn is_of_the_label(self) -> bool {
        self >= Self::Tier
    }
}

/// The values of every variable.
#[derive(Debug)]
pub(super) struct Space {
    variables: Vec<Variable>,
    sizes: Vec<usize>,
    /// The reader, if it is none that a policy names, and those that are named.
    members: Vec<MemberId>,
    /// A member that is neither.
    other: MemberId,
    pub(super) tiers: Vec<Tier>,
    standings: Vec<Option<Standing>>,
    /// One of each class; the last is a collection that the programme no longer has.
    collections: Vec<Collection>,
    texts: BTreeMap<Variable, Vec<Option<String>>>,
    tokens: BTreeMap<Variable, Vec<BTreeSet<String>>>,
    clearances: Vec<u8>,
    audiences: Vec<Vec<MemberId>>,
    markings: Vec<BTreeSet<AcsLabel>>,
    /// Why this is not all of what the policies can tell apart.
    pub(super) gaps: Vec<String>,
}

impl Space {
    pub(super) fn new(policy: &Policy, policies: &[(String, Words)]) -> Self {
        let mut space = Self {
            variables: Vec::new(),
            sizes: Vec::new(),
            members: Vec::new(),
            other: MemberId::from_bits(0),
            tiers: Vec::new(),
            standings: vec![None],
            collections: Vec::new(),
            texts: BTreeMap::new(),
            tokens: BTreeMap::new(),
            clearances: vec![0],
            audiences: Vec::new(),
            markings: markings(),
            gaps: Vec::new(),
        };
        space.standings.push(Some(Standing::Listed));
        if mentions(policies, &["conditions"]) {
            space.standings.push(Some(Standing::ListedWithConditions));
        }
        space.set_members(policy, policies);
        space.set_tiers(policy, policies);
        space.set_collections(policy, policies);
        space.set_open(policies);
        space.set_clearances(policies);
        for (id, words) in policies {
            if words.like {
                space
                    .gaps
                    .push(format!("`{id}` matches texts with wildcards, which tell endlessly many apart"));
            }
            if words.crossed {
                space
                    .gaps
                    .push(format!("`{id}` compares with each other two attributes whose texts are free"));
            }
        }
        space.set_variables();
        space
    }

    fn set_members(&mut self, policy: &Policy, policies: &[(String, Words)]) {
        let named = |(kind, id): &(String, String)| (kind == "Member").then(|| id.parse().ok()).flatten();
        let mut constants: BTreeSet<MemberId> =
            policies.iter().flat_map(|(_, words)| &words.entities).filter_map(named).collect();
        if mentions(policies, &["publisher_members"]) {
            let collections = &policy.programme().settings().collections;
            constants.extend(collections.iter().flat_map(|one| one.publishers.members.iter().cloned()));
        }
        let mut fresh = (1..).map(MemberId::from_bits).filter(|id| !constants.contains(id));
        self.members.extend(fresh.next());
        self.other = fresh.next().expect("there are more ids than a policy can name");
        self.members.extend(constants.iter().cloned());
        let mut named: Vec<MemberId> = self.members.clone();
        named.insert(1, self.other.clone());
        if named.len() > AUDIENCE_MAX {
            self.gaps
                .push(format!("the policies name {} members; not every audience was tried", named.len() - 2));
            named.truncate(AUDIENCE_MAX);
        }
        self.audiences = subsets(&named);
    }

    fn set_tiers(&mut self, policy: &Policy, policies: &[(String, Words)]) {
        let mut tiers: Vec<Tier> =
            policy.programme().settings().tiers.iter().map(|tier| tier.name.clone()).collect();
        let asking = policies.iter().filter(|(_, words)| words.names(&["tier", "listed", "conditions"]));
        let texts: BTreeSet<&String> = asking.flat_map(|(_, words)| &words.texts).collect();
        for text in texts {
            tiers.extend(text.parse().ok().filter(|tier: &Tier| !tiers.contains(tier)));
        }
        // A tier that the programme no longer has, and of which there may be labels still.
        let gone = (0..).filter_map(|number| format!("gone{number}").parse().ok());
        tiers.extend(gone.filter(|tier| !tiers.contains(tier)).take(1).collect::<Vec<_>>());
        self.tiers = tiers;
    }

    fn set_collections(&mut self, policy: &Policy, policies: &[(String, Words)]) {
        let named =
            policies.iter().any(|(_, words)| words.entities.iter().any(|(kind, _)| kind == "Collection"));
        let alias = mentions(policies, &["alias"]);
        let publishers = mentions(policies, &["publisher_roles", "publisher_kinds", "publisher_members"]);
        let mut seen = BTreeSet::new();
        for collection in &policy.programme().settings().collections {
            let key = (
                (named || alias).then(|| collection.id.to_string()),
                publishers.then(|| format!("{:?}", collection.publishers)),
                collection.tier.clone(),
                collection.shared,
            );
            if seen.insert(key) {
                self.collections.push(collection.clone());
            }
        }
        self.collections.push(Collection {
            id: "00000000-0000-4000-8000-00000000dead".parse().expect("it is a UUID"),
            alias: "gone".to_owned(),
            title: String::new(),
            description: None,
            tier: self.tiers[0].clone(),
            media_types: Vec::new(),
            shared: true,
            publishers: Publishers::default(),
        });
    }

    fn set_open(&mut self, policies: &[(String, Words)]) {
        use Variable::{Accesses, Communities, Consent, Entities, Identity, Nationalities, Organisations};
        for variable in [Identity, Consent] {
            let mut values = vec![None];
            values.extend(self.universe(variable, policies).into_iter().map(Some));
            if variable == Consent {
                let known = ["everyone", "everyone-cisa-proprietary", "usg", "none"];
                values.extend(known.map(|word| Some(word.to_owned())));
            }
            self.texts.insert(variable, values);
        }
        for variable in [Nationalities, Organisations, Entities, Communities, Accesses] {
            let mut universe = self.universe(variable, policies);
            if universe.len() > TOKENS_MAX {
                let names = variable.attributes().join(", ");
                self.gaps.push(format!("the policies ask for {} tokens of `{names}`", universe.len()));
                universe.truncate(TOKENS_MAX);
            }
            let sets = subsets(&universe).into_iter().map(|set| set.into_iter().collect()).collect();
            self.tokens.insert(variable, sets);
        }
    }

    /// The texts that policies which ask for this variable can tell apart: what they name, what else it could be
    /// compared with, and one that is none of these. Nothing where none asks.
    fn universe(&self, variable: Variable, policies: &[(String, Words)]) -> Vec<String> {
        let mut texts = BTreeSet::new();
        for (_, words) in policies.iter().filter(|(_, words)| words.names(variable.attributes())) {
            texts.extend(words.texts.iter().cloned());
            if words.names(&["kind"]) {
                texts.extend(["provider", "participant"].map(str::to_owned));
            }
            if words.names(&["tier", "listed", "conditions"]) {
                texts.extend(self.tiers.iter().map(ToString::to_string));
            }
            if words.names(&["alias"]) {
                texts.extend(self.collections.iter().map(|one| one.alias.clone()));
            }
            texts.insert("\u{1}any other".to_owned());
        }
        texts.into_iter().collect()
    }

    fn set_clearances(&mut self, policies: &[(String, Words)]) {
        let mut values = BTreeSet::from([0]);
        for (_, words) in policies.iter().filter(|(_, words)| words.names(&["clearance"])) {
            if words.arithmetic {
                values.extend(0..=u8::MAX);
            }
            // It may be compared with a marking's level, and with the numbers that are named.
            values.extend(0..=5_u8);
            let near = |number: &i64| [number.saturating_sub(1), *number, number.saturating_add(1)];
            values.extend(words.numbers.iter().flat_map(near).filter_map(|number| u8::try_from(number).ok()));
            values.insert(u8::MAX);
        }
        self.clearances = values.into_iter().collect();
    }

    fn set_variables(&mut self) {
        use Variable as V;
        let mut variables = vec![
            (V::Reader, self.members.len()),
            (V::Kind, 2),
            (V::Clearance, self.clearances.len()),
            (V::Collection, self.collections.len()),
            (V::Tier, self.tiers.len()),
            (V::Tlp, TLP_LEVELS.len() + 1),
            (V::Pap, PAP_LEVELS.len() + 1),
            (V::Unknown, 2),
            (V::Audience, self.audiences.len() + 1),
            (V::Creator, Role::ALL.len() + 1 + self.members.len()),
            (V::Marking, self.markings.len()),
        ];
        variables.extend(self.texts.iter().map(|(variable, values)| (*variable, values.len())));
        variables.extend(self.tokens.iter().map(|(variable, values)| (*variable, values.len())));
        variables.extend((0..self.tiers.len()).map(|tier| (V::Standing(tier), self.standings.len())));
        variables.sort();
        (self.variables, self.sizes) = variables.into_iter().unzip();
    }

    pub(super) fn size(&self, variable: usize) -> usize {
        self.sizes[variable]
    }

    pub(super) fn len(&self) -> usize {
        self.variables.len()
    }

    /// How many classes of readers and of labels there are.
    pub(super) fn classes(&self) -> (u128, u128) {
        let product = |of_labels: bool| {
            let sizes = self.variables.iter().zip(&self.sizes);
            let sizes = sizes.filter(|(variable, _)| (**variable >= Variable::Collection) == of_labels);
            sizes.map(|(_, size)| *size as u128).product()
        };
        (product(false), product(true))
    }

    /// On which variables a policy's answer to a question for `action` depends.
    pub(super) fn asked_by(&self, words: &Words, action: CaseAction) -> Vec<usize> {
        let of_content = is_of_content(action);
        let asks = |variable: Variable| match variable {
            Variable::Reader => self.members.len() > 1,
            Variable::Marking => of_content && words.context,
            Variable::Collection if !of_content => true,
            Variable::Collection
            | Variable::Kind
            | Variable::Identity
            | Variable::Nationalities
            | Variable::Organisations
            | Variable::Entities
            | Variable::Communities
            | Variable::Accesses
            | Variable::Clearance
            | Variable::Standing(_)
            | Variable::Tier
            | Variable::Tlp
            | Variable::Pap
            | Variable::Unknown
            | Variable::Audience
            | Variable::Creator
            | Variable::Consent => {
                (of_content || !variable.is_of_the_label()) && words.names(variable.attributes())
            }
        };
        (0..self.len()).filter(|index| asks(self.variables[*index])).collect()
    }

    pub(super) fn index(&self, wanted: Variable) -> usize {
        self.variables.iter().position(|variable| *variable == wanted).expect("the list has every variable")
    }

    pub(super) fn tier(&self) -> usize {
        self.index(Variable::Tier)
    }

    pub(super) fn standing_of(&self, tier: usize) -> usize {
        self.index(Variable::Standing(tier))
    }

    /// The numbers of a standing's values that are on the list.
    pub(super) fn on_the_list(&self) -> std::ops::Range<usize> {
        1..self.standings.len()
    }

    /// The tier on which the question depends, once the place says so.
    pub(super) fn tier_at(&self, place: &Place, action: CaseAction) -> Option<usize> {
        if is_of_content(action) {
            return place[self.index(Variable::Tier)];
        }
        let collection = &self.collections[place[self.index(Variable::Collection)]?];
        self.tiers.iter().position(|tier| *tier == collection.tier)
    }

    /// The reader at `place`; who is on no list there has the standing `off`, or none.
    pub(super) fn member(&self, place: &Place, off: Option<Standing>) -> Member {
        let at = |variable| place[self.index(variable)].unwrap_or(0);
        let tokens = |variable| self.tokens[&variable][at(variable)].clone();
        let standing = |(number, tier): (usize, &Tier)| {
            let standing = self.standings[at(Variable::Standing(number))].or(off)?;
            Some((tier.clone(), standing))
        };
        Member {
            id: self.members[at(Variable::Reader)].clone(),
            name: "the reader".to_owned(),
            kind: [MemberKind::Provider, MemberKind::Participant][at(Variable::Kind)],
            identity: self.texts[&Variable::Identity][at(Variable::Identity)].clone(),
            subject: Subject {
                nationalities: tokens(Variable::Nationalities),
                organisations: tokens(Variable::Organisations),
                entities: tokens(Variable::Entities),
                communities: tokens(Variable::Communities),
                accesses: tokens(Variable::Accesses),
                clearance: self.clearances[at(Variable::Clearance)],
            },
            standings: self.tiers.iter().enumerate().filter_map(standing).collect(),
            since: Timestamp::EPOCH,
        }
    }

    pub(super) fn label(&self, place: &Place, action: CaseAction) -> Label {
        let at = |variable| place[self.index(variable)].unwrap_or(0);
        let collection = &self.collections[at(Variable::Collection)];
        let reader = &self.members[at(Variable::Reader)];
        let level = |variable| u8::try_from(at(variable)).ok().and_then(|level| level.checked_sub(1));
        let marking = "marking-definition--00000000-0000-4000-8000-0000000000bb";
        // The reader, where "the reader" is meant: the first of each audience's members may be one that is named.
        let named = |members: &Vec<MemberId>| {
            members.iter().map(|id| if *id == self.members[0] { reader } else { id }.clone()).collect()
        };
        Label {
            collection: collection.id,
            tier: if is_of_content(action) {
                self.tiers[at(Variable::Tier)].clone()
            } else {
                collection.tier.clone()
            },
            demands: Demands {
                tlp: level(Variable::Tlp),
                pap: level(Variable::Pap),
                acs: self.markings[at(Variable::Marking)].clone(),
                consent: self.texts[&Variable::Consent][at(Variable::Consent)].clone(),
                unknown: (at(Variable::Unknown) == 1).then(|| marking.to_owned()).into_iter().collect(),
            },
            creator: self.creator(at(Variable::Creator), reader),
            audience: match at(Variable::Audience).checked_sub(1) {
                None => Audience::Everyone,
                Some(number) => Audience::Named(named(&self.audiences[number])),
            },
            release_at: None,
            release_until: None,
            ends: BTreeSet::new(),
            unless: None,
        }
    }

    /// A role, another member, or the reader and each member that a policy names.
    fn creator(&self, number: usize, reader: &MemberId) -> Principal {
        let Some(number) = number.checked_sub(Role::ALL.len()) else {
            return Principal::Role(Role::ALL[number]);
        };
        match number.checked_sub(1) {
            None => Principal::Member(self.other.clone()),
            Some(0) => Principal::Member(reader.clone()),
            Some(number) => Principal::Member(self.members[number].clone()),
        }
    }
}

pub(super) fn is_of_content(action: CaseAction) -> bool {
    match action {
        CaseAction::Read | CaseAction::Display | CaseAction::Enforce | CaseAction::Redistribute => true,
        CaseAction::List | CaseAction::Publish => false,
    }
}

fn mentions(policies: &[(String, Words)], attributes: &[&str]) -> bool {
    policies.iter().any(|(_, words)| words.names(attributes))
}

/// Every set of the items, the empty one first.
fn subsets<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    let mut sets = vec![Vec::new()];
    for item in items {
        let with: Vec<Vec<T>> =
            sets.iter().map(|set| set.iter().cloned().chain([item.clone()]).collect()).collect();
        sets.extend(with);
    }
    sets
}

/// One set of ACS markings for each answer that markings can give about a reader: what may not be held may not be
/// used, and what may be passed on to anyone may be passed on to this one. The first has none and admits everything.
pub(super) fn markings() -> Vec<BTreeSet<AcsLabel>> {
    use AcsEffect::{Deny, Permit};
    let mut sets = vec![BTreeSet::new()];
    for sharing in [Permit, Deny] {
        // Said to be public by nobody: it may not be held.
        let formal_determination = BTreeSet::from(["PUBREL".to_owned()]);
        sets.push([AcsLabel { formal_determination, ..AcsLabel::unclassified(Permit, sharing) }].into());
    }
    let everyone = || AcsScope { entity: BTreeSet::from(["ALL".to_owned()]), ..AcsScope::default() };
    let privilege = |action| AcsPrivilege { action, effect: Permit, scope: everyone() };
    let nobody = AcsFurtherSharing { effect: Deny, scope: BTreeSet::from(["\u{1}nobody".to_owned()]) };
    for (sharing, rule) in [(Permit, None), (Permit, Some(&nobody)), (Deny, None)] {
        for actions in subsets(&[AcsAction::Dsply, AcsAction::Netdef]) {
            if rule.is_none() && sharing == Permit && actions.len() == 2 {
                continue; // as without a marking
            }
            sets.push(
                [AcsLabel {
                    access_privilege: actions.into_iter().map(privilege).collect(),
                    further_sharing: rule.into_iter().cloned().collect(),
                    ..AcsLabel::unclassified(Deny, sharing)
                }]
                .into(),
            );
        }
    }
    sets
}
