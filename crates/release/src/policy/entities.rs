//! What the hub tells Cedar: readers, labels and collections as entities of the programme's schema.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression, Schema,
};
use model::{
    CollectionId, Member, MemberId, MemberKind, Principal, Role, Standing, Subject, Tier, Timestamp,
};
use programme::Programme;

use super::{PolicyError, Reader};
use crate::{Audience, Demands, Label};

type Attributes = HashMap<String, RestrictedExpression>;

/// The names of types and actions, made once.
#[derive(Debug)]
pub(super) struct Vocabulary {
    members: EntityTypeName,
    roles: EntityTypeName,
    collections: EntityTypeName,
    /// The label that is asked about. One question has one label, so all share a name.
    pub(super) label: EntityUid,
    pub(super) read: EntityUid,
    pub(super) display: EntityUid,
    pub(super) enforce: EntityUid,
    pub(super) redistribute: EntityUid,
    pub(super) list: EntityUid,
    pub(super) publish: EntityUid,
}

/// What the ACS markings of a label answer for one reader, by the question's name in the schema.
pub(super) type AcsAnswers = [(&'static str, bool); 5];

/// What a label without an ACS marking answers.
pub(super) const NO_ACS: AcsAnswers = [
    ("acs_access", true),
    ("acs_display", true),
    ("acs_netdef", true),
    ("acs_onward", true),
    ("acs_reshare", true),
];

/// The context of a question about content.
pub(super) fn context(answers: AcsAnswers) -> Result<Context, String> {
    Context::from_pairs(answers.map(|(name, yes)| (name.to_owned(), RestrictedExpression::new_bool(yes))))
        .map_err(|error| error.to_string())
}

fn type_name(name: &str) -> EntityTypeName {
    name.parse().expect("the names are this file's own, and each is one Cedar identifier")
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

fn texts<'a>(values: impl IntoIterator<Item = &'a str>) -> RestrictedExpression {
    RestrictedExpression::new_set(values.into_iter().map(text))
}

fn tokens(values: &BTreeSet<String>) -> RestrictedExpression {
    texts(values.iter().map(String::as_str))
}

impl Vocabulary {
    /// The names, once a specimen of all that is said with them was held against the programme's schema.
    pub(super) fn new(programme: &Programme) -> Result<Self, PolicyError> {
        let action = type_name("Action");
        let vocabulary = Self {
            members: type_name("Member"),
            roles: type_name("Role"),
            collections: type_name("Collection"),
            label: uid(&type_name("Label"), "asked"),
            read: uid(&action, "read"),
            display: uid(&action, "display"),
            enforce: uid(&action, "enforce"),
            redistribute: uid(&action, "redistribute"),
            list: uid(&action, "list"),
            publish: uid(&action, "publish"),
        };
        vocabulary.fits(programme)?;
        Ok(vocabulary)
    }

    pub(super) fn principal(&self, reader: Reader<'_>) -> EntityUid {
        match reader {
            Reader::Member(member) => self.member(&member.id),
            Reader::Role(role) => self.role(role),
        }
    }

    pub(super) fn collection(&self, id: &CollectionId) -> EntityUid {
        uid(&self.collections, &id.to_string())
    }

    fn member(&self, id: &MemberId) -> EntityUid {
        uid(&self.members, id.as_str())
    }

    fn role(&self, role: Role) -> EntityUid {
        uid(&self.roles, role.as_str())
    }

    /// The collections and actions, which every question knows.
    pub(super) fn fixed(&self, programme: &Programme) -> Result<Entities, PolicyError> {
        let wrong = |detail: String| PolicyError::Schema { subject: "collections", detail };
        let mut entities = Vec::new();
        for collection in &programme.settings().collections {
            let publishers = &collection.publishers;
            let kinds = [MemberKind::Provider, MemberKind::Participant];
            let kinds = kinds.into_iter().filter(|kind| publishers.has_kind(*kind)).map(MemberKind::as_str);
            let roles = publishers.roles.iter().map(|role| self.role(*role));
            let members = publishers.members.iter().map(|member| self.member(member));
            let attributes = [
                ("alias", text(&collection.alias)),
                ("tier", text(collection.tier.as_str())),
                ("shared", RestrictedExpression::new_bool(collection.shared)),
                (
                    "publisher_roles",
                    RestrictedExpression::new_set(roles.map(RestrictedExpression::new_entity_uid)),
                ),
                ("publisher_kinds", texts(kinds)),
                (
                    "publisher_members",
                    RestrictedExpression::new_set(members.map(RestrictedExpression::new_entity_uid)),
                ),
            ];
            entities.push(entity(self.collection(&collection.id), attributes).map_err(wrong)?);
        }
        Entities::from_entities(entities, Some(programme.policies().schema()))
            .map_err(|error| wrong(error.to_string()))
    }

    /// `known` and the member.
    pub(super) fn with_member(
        &self,
        known: &Entities,
        principal: &EntityUid,
        member: &Member,
    ) -> Result<Entities, String> {
        add(known, self.member_entity(principal, member)?, None)
    }

    fn member_entity(&self, principal: &EntityUid, member: &Member) -> Result<Entity, String> {
        let Subject { nationalities, organisations, entities, communities, accesses, clearance } =
            &member.subject;
        let conditions = member
            .standings
            .iter()
            .filter(|(_, standing)| **standing == Standing::ListedWithConditions)
            .map(|(tier, _)| tier.as_str());
        let attributes = [
            ("kind", text(member.kind.as_str())),
            ("listed", texts(member.listed_tiers().map(Tier::as_str))),
            ("conditions", texts(conditions)),
            ("nationalities", tokens(nationalities)),
            ("organisations", tokens(organisations)),
            ("entities", tokens(entities)),
            ("communities", tokens(communities)),
            ("accesses", tokens(accesses)),
            ("clearance", RestrictedExpression::new_long(i64::from(*clearance))),
        ];
        let identity = member.identity.as_deref().map(|identity| ("identity", text(identity)));
        debug_assert_eq!(principal.type_name(), &self.members);
        entity(principal.clone(), attributes.into_iter().chain(identity))
    }

    /// `known` and the label.
    pub(super) fn with_label(
        &self,
        known: &Entities,
        label: &Label,
        unmarked_tlp: u8,
    ) -> Result<Entities, String> {
        add(known, self.label_entity(label, unmarked_tlp)?, None)
    }

    fn label_entity(&self, label: &Label, unmarked_tlp: u8) -> Result<Entity, String> {
        let Label { collection, tier, demands, creator, audience, .. } = label;
        // Embargo, expiry, ends and stand-ins are instants and other labels: grants apply them, not the policy.
        let audience = match audience {
            Audience::Everyone => None,
            Audience::Named(members) => Some(members),
        };
        let named = audience.into_iter().flatten().map(|member| self.member(member));
        let mut attributes: Vec<(&str, RestrictedExpression)> = vec![
            ("collection", RestrictedExpression::new_entity_uid(self.collection(collection))),
            ("tier", text(tier.as_str())),
            ("tlp", RestrictedExpression::new_long(i64::from(demands.tlp.unwrap_or(unmarked_tlp)))),
            ("marked", RestrictedExpression::new_bool(demands.tlp.is_some())),
            ("named", RestrictedExpression::new_bool(audience.is_some())),
            ("audience", RestrictedExpression::new_set(named.map(RestrictedExpression::new_entity_uid))),
            ("unknown", RestrictedExpression::new_bool(!demands.unknown.is_empty())),
            match creator {
                Principal::Member(id) => ("creator", RestrictedExpression::new_entity_uid(self.member(id))),
                Principal::Role(role) => {
                    ("creator_role", RestrictedExpression::new_entity_uid(self.role(*role)))
                }
            },
        ];
        attributes.extend(demands.pap.map(|pap| ("pap", RestrictedExpression::new_long(i64::from(pap)))));
        attributes.extend(demands.consent.as_deref().map(|consent| ("consent", text(consent))));
        entity(self.label.clone(), attributes)
    }

    /// Holds specimens that have every attribute, and such that have only the required ones, against the schema.
    fn fits(&self, programme: &Programme) -> Result<(), PolicyError> {
        let schema = programme.policies().schema();
        let known = self.fixed(programme)?;
        for whole in [true, false] {
            let member = specimen_member(whole);
            let principal = self.member(&member.id);
            self.member_entity(&principal, &member)
                .and_then(|entity| add(&known, entity, Some(schema)))
                .map_err(|detail| PolicyError::Schema { subject: "members", detail })?;
            let label = specimen_label(whole, &member.id);
            self.label_entity(&label, 0)
                .and_then(|entity| add(&known, entity, Some(schema)))
                .map_err(|detail| PolicyError::Schema { subject: "labels", detail })?;
        }
        let collection = self.collection(&specimen_collection());
        for principal in [self.member(&MemberId::from_bits(0)), self.role(Role::Overseer)] {
            for action in [&self.read, &self.display, &self.enforce, &self.redistribute] {
                let marked = context(NO_ACS);
                asks(schema, &principal, action, &self.label, marked)?;
            }
            for action in [&self.list, &self.publish] {
                asks(schema, &principal, action, &collection, Ok(Context::empty()))?;
            }
        }
        Ok(())
    }
}

fn asks(
    schema: &Schema,
    principal: &EntityUid,
    action: &EntityUid,
    resource: &EntityUid,
    context: Result<Context, String>,
) -> Result<(), PolicyError> {
    context
        .and_then(|context| {
            Request::new(principal.clone(), action.clone(), resource.clone(), context, Some(schema))
                .map_err(|error| error.to_string())
        })
        .map(|_| ())
        .map_err(|detail| PolicyError::Schema { subject: "the questions that it asks", detail })
}

fn entity<'a>(
    name: EntityUid,
    attributes: impl IntoIterator<Item = (&'a str, RestrictedExpression)>,
) -> Result<Entity, String> {
    let attributes: Attributes = attributes.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Entity::new(name, attributes, HashSet::new()).map_err(|error| error.to_string())
}

fn add(known: &Entities, entity: Entity, schema: Option<&Schema>) -> Result<Entities, String> {
    known.clone().add_entities([entity], schema).map_err(|error| error.to_string())
}

fn specimen_member(whole: bool) -> Member {
    let token = || BTreeSet::from(["X".to_owned()]);
    let tier: Tier = "open".parse().expect("it is a tier's name");
    Member {
        id: MemberId::from_bits(0),
        name: String::new(),
        kind: MemberKind::Provider,
        identity: whole.then(|| "identity--0".to_owned()),
        subject: Subject {
            nationalities: token(),
            organisations: token(),
            entities: token(),
            communities: token(),
            accesses: token(),
            clearance: 0,
        },
        standings: BTreeMap::from([(tier, Standing::ListedWithConditions)]),
        since: Timestamp::EPOCH,
    }
}

fn specimen_collection() -> CollectionId {
    "00000000-0000-4000-8000-000000000000".parse().expect("it is a UUID")
}

fn specimen_label(whole: bool, member: &MemberId) -> Label {
    Label {
        collection: specimen_collection(),
        tier: "open".parse().expect("it is a tier's name"),
        demands: Demands {
            tlp: whole.then_some(0),
            pap: whole.then_some(0),
            consent: whole.then(|| "none".to_owned()),
            ..Demands::default()
        },
        creator: if whole { Principal::Member(member.clone()) } else { Principal::Role(Role::Operator) },
        audience: Audience::Named(BTreeSet::from([member.clone()])),
        release_at: None,
        release_until: None,
        ends: BTreeSet::new(),
        unless: None,
    }
}
