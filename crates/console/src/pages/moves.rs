//! Who would move by something that has not happened yet: an import, a tie, another version of the rules.

use std::collections::{BTreeMap, BTreeSet};

use model::{Grade, Member, MemberId};
use serde_json::json;
use ties::EntityId;
use vetting::Move;

use crate::export::Table;
use crate::pages::members::Known;

/// The members by the entities that they are.
pub(crate) type MembersByEntity = BTreeMap<EntityId, (MemberId, String)>;

/// A move, for `moves.html`.
pub(crate) struct MoveRow {
    pub(crate) entity: EntityId,
    pub(crate) member: Option<MemberId>,
    pub(crate) name: String,
    pub(crate) tier: String,
    pub(crate) from: Grade,
    pub(crate) to: Grade,
    pub(crate) new: String,
    pub(crate) gone: String,
}

/// Which member each entity is.
pub(crate) fn by_entity(known: &[Known]) -> MembersByEntity {
    let told = |member: &Member| (member.id.clone(), member.name.clone());
    known.iter().filter_map(|(member, dossier)| Some((dossier.entity.clone()?, told(member)))).collect()
}

/// The moves with the names of whoever moves, whoever would lose most first.
pub(crate) fn rows(moves: &[Move], members: &MembersByEntity) -> Vec<MoveRow> {
    let list = |rules: &BTreeSet<String>| rules.iter().cloned().collect::<Vec<_>>().join(", ");
    let row = |one: &Move| {
        let known = members.get(&one.entity);
        MoveRow {
            entity: one.entity.clone(),
            member: known.map(|(member, _)| member.clone()),
            name: known.map_or_else(|| one.entity.to_string(), |(_, name)| name.clone()),
            tier: one.tier.to_string(),
            from: one.from,
            to: one.to,
            new: list(&one.new),
            gone: list(&one.gone),
        }
    };
    let mut rows: Vec<MoveRow> = moves.iter().map(row).collect();
    rows.sort_by(|a, b| b.to.cmp(&a.to).then_with(|| a.name.cmp(&b.name)).then_with(|| a.tier.cmp(&b.tier)));
    rows
}

/// The same as a file.
pub(crate) fn table(rows: &[MoveRow]) -> Table {
    let mut table =
        Table::new(&["member", "name", "entity", "tier", "from", "to", "because_of", "no_longer"]);
    let row = |one: &MoveRow| {
        vec![
            json!(one.member.as_ref().map(ToString::to_string)),
            json!(one.name),
            json!(one.entity),
            json!(one.tier),
            json!(one.from),
            json!(one.to),
            json!(one.new),
            json!(one.gone),
        ]
    };
    table.rows = rows.iter().map(row).collect();
    table
}
