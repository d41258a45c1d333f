//! What the tables of `/hits` are as files.

use std::collections::BTreeMap;

use exchange::{DayHits, FalsePositive, Giving, GuardView, IndicatorHits};
use model::MemberId;
use serde_json::json;

use crate::export::Table;

pub(super) fn days_table(days: &[DayHits]) -> Table {
    let mut table = Table::new(&["day", "countermeasure", "facts", "hits_at_least", "of_these_enforced"]);
    let row = |one: &DayHits| {
        vec![
            json!(one.day),
            json!(one.countermeasure),
            json!(one.facts),
            json!(one.count),
            json!(one.enforced),
        ]
    };
    table.rows = days.iter().map(row).collect();
    table
}

pub(super) fn members_table(giving: &[Giving], names: &BTreeMap<MemberId, String>) -> Table {
    let mut table = Table::new(&[
        "member",
        "name",
        "contributed",
        "of_these_hit",
        "facts_reported",
        "last_report",
        "objects_received",
        "last_received",
    ]);
    let row = |one: &Giving| {
        let name = names.get(&one.member);
        vec![
            json!(one.member),
            json!(name),
            json!(one.contributed),
            json!(one.hit),
            json!(one.facts),
            json!(one.last),
            json!(one.received),
            json!(one.last_received),
        ]
    };
    table.rows = giving.iter().map(row).collect();
    table
}

pub(super) fn guards_table(guards: &[GuardView]) -> Table {
    let mut table = Table::new(&[
        "member",
        "name",
        "login",
        "version",
        "state",
        "last_asked",
        "lease_until",
        "sinkhole",
        "quarantine",
        "flow",
    ]);
    let row = |one: &GuardView| {
        let reported = |word: &str| json!(one.reported.get(word));
        vec![
            json!(one.member),
            json!(one.name),
            json!(one.login),
            json!(one.version),
            json!(one.state),
            json!(one.heard),
            json!(one.lease_until),
            reported("sinkhole"),
            reported("quarantine"),
            reported("flow"),
        ]
    };
    table.rows = guards.iter().map(row).collect();
    table
}

pub(super) fn indicators_table(indicators: &[IndicatorHits]) -> Table {
    let mut table =
        Table::new(&["indicator", "members", "facts", "hits_at_least", "last_day", "days_published"]);
    let row = |one: &IndicatorHits| {
        vec![
            json!(one.object),
            json!(one.members),
            json!(one.facts),
            json!(one.count),
            json!(one.last_day),
            json!(one.published_days),
        ]
    };
    table.rows = indicators.iter().map(row).collect();
    table
}

pub(super) fn doubts_table(doubts: &[FalsePositive]) -> Table {
    let mut table = Table::new(&[
        "object",
        "state",
        "members",
        "people",
        "reasons",
        "decided_at",
        "decided_by",
        "decision",
    ]);
    let row = |one: &FalsePositive| {
        let reasons: Vec<&str> = one.reports.iter().map(|report| report.reason.as_str()).collect();
        let decided = one.decided.as_ref();
        vec![
            json!(one.object),
            json!(one.state),
            json!(one.members),
            json!(one.people),
            json!(reasons.join("; ")),
            json!(decided.map(|decided| decided.at)),
            json!(decided.map(|decided| &decided.by)),
            json!(decided.map(|decided| &decided.reason)),
        ]
    };
    table.rows = doubts.iter().map(row).collect();
    table
}
