//! The two clocks: the day that is asked about, and the day up to which what was recorded counts.

use ties::Day;

use super::gather::Found;
use crate::asked::Asked;
use crate::words;

/// How many moments are shown; of more, those that are nearest to the day that is asked about.
const MOMENTS_MAX: usize = 12;

/// How much of a day is told.
const TOLD_MAX: usize = 3;

/// Where the clocks stand, and where they can be moved.
pub(super) struct Clocks {
    pub(super) as_of: String,
    pub(super) known: String,
    /// As the link has it: a day, or an instant.
    pub(super) known_exactly: String,
    /// The first and the last day of the sliders.
    pub(super) first: String,
    pub(super) last: String,
    pub(super) is_now: bool,
    /// The page as of now.
    pub(super) now: String,
    /// The moment before and after the day that is asked about.
    pub(super) before: Option<Moment>,
    pub(super) after: Option<Moment>,
    pub(super) moments: Vec<Moment>,
    pub(super) has_more: bool,
    /// What else the form has to keep.
    pub(super) kept: Vec<(String, String)>,
}

/// A day on which something changed.
#[derive(Clone)]
pub(super) struct Moment {
    pub(super) day: String,
    pub(super) what: String,
    pub(super) href: String,
    pub(super) is_current: bool,
}

impl Clocks {
    pub(super) fn new(asked: &Asked, found: &Found) -> Self {
        let today = Day::of(asked.now);
        let as_of = found.wanted.as_of;
        let on = as_of.map_or(today, |as_of| as_of.day);
        let known = as_of.map_or(asked.now, |as_of| as_of.known);
        let moments: Vec<(Day, Moment)> = found
            .moments
            .iter()
            .filter(|(day, _)| **day <= today)
            .map(|(day, what)| (*day, moment(asked, *day, what.iter().map(String::as_str), on)))
            .collect();
        let before = moments.iter().rev().find(|(day, _)| *day < on).map(|(_, moment)| moment.clone());
        let after = moments.iter().find(|(day, _)| *day > on).map(|(_, moment)| moment.clone());
        let first = moments.first().map_or(on, |(day, _)| *day).min(on).plus(-90);
        let nearest = moments.partition_point(|(day, _)| *day < on);
        let from = nearest.saturating_sub(MOMENTS_MAX / 2).min(moments.len().saturating_sub(MOMENTS_MAX));
        let has_more = moments.len() > MOMENTS_MAX;
        let shown = moments.into_iter().skip(from).take(MOMENTS_MAX).map(|(_, moment)| moment);
        let kept = asked.query.iter().filter(|(name, _)| !matches!(*name, "as_of" | "known" | "format"));
        Self {
            as_of: on.to_string(),
            known: words::day(known),
            known_exactly: asked.query.get("known").map_or_else(|| words::day(known), str::to_owned),
            first: first.to_string(),
            last: today.to_string(),
            is_now: as_of.is_none(),
            now: asked.query.with("as_of", None).with("known", None).link(&asked.path),
            before,
            after,
            moments: shown.collect(),
            has_more,
            kept: kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        }
    }
}

fn moment<'w>(asked: &Asked, day: Day, what: impl Iterator<Item = &'w str>, on: Day) -> Moment {
    let text = day.to_string();
    let mut told: Vec<String> = what.map(str::to_owned).collect();
    if told.len() > TOLD_MAX {
        let more = told.len() - TOLD_MAX + 1;
        told.truncate(TOLD_MAX - 1);
        told.push(format!("and {more} more"));
    }
    Moment { what: told.join("; "), href: asked.link("as_of", Some(&text)), is_current: day == on, day: text }
}
