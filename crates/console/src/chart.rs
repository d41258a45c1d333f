//! Bars by day: one for each of the last days, in one part or in several on top of each other.
//!
//! The axis ends at a round number, so that its middle is a whole one; every bar says its number to those who point at it,
//! and beside every chart stands a table with all of them.

use std::collections::BTreeMap;
use std::time::Duration;

use model::Timestamp;

use crate::svg::{Picture, Svg};
use crate::words::{day, thousands};

/// How many days are shown, today and those before.
const DAYS: u32 = 31;
/// Room for days below and for the highest number above.
const BELOW: i32 = 26;
const ABOVE: i32 = 12;

/// What a chart is of.
pub(crate) struct Bars<'c> {
    pub(crate) id: &'c str,
    pub(crate) title: &'c str,
    /// What is counted, in the plural.
    pub(crate) what: &'c str,
    /// The parts of a bar, from the bottom up. They are drawn in the class of their name.
    pub(crate) parts: &'c [&'c str],
    /// Whether a number stands for "at least".
    pub(crate) is_at_least: bool,
    pub(crate) size: Size,
}

/// How much room a chart has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// A column of a page.
    Small,
    /// The page.
    Large,
}

/// What is drawn, by day and part.
pub(crate) type Counts<'c> = BTreeMap<(&'c str, &'c str), u64>;

/// Where everything stands.
struct Frame {
    width: i32,
    height: i32,
    left: i32,
    step: i32,
    bar: i32,
    /// Every how many days one is named.
    named: usize,
    /// What the axis ends at.
    top: u64,
}

impl Frame {
    fn new(size: Size, most: u64) -> Self {
        let top = round_up(most);
        match size {
            Size::Small => Self { width: 440, height: 150, left: 44, step: 12, bar: 9, named: 10, top },
            Size::Large => Self { width: 860, height: 240, left: 60, step: 25, bar: 18, named: 5, top },
        }
    }

    fn bottom(&self) -> i32 {
        self.height - BELOW
    }

    /// How tall so many are.
    fn tall(&self, count: u64) -> i32 {
        let room = self.bottom() - ABOVE;
        let part = u128::from(count) * u128::from(room.unsigned_abs()) / u128::from(self.top.max(1));
        i32::try_from(part).unwrap_or(room).min(room)
    }
}

/// The least of 1, 2, 4, 6, 8, 10, 12, 16, 20, 40, 60, 80, 100, 120, ... that is not less: even, so that half of it is whole.
fn round_up(most: u64) -> u64 {
    if let Some(top) = [1, 2, 4, 6, 8].into_iter().find(|top| *top >= most) {
        return top;
    }
    let mut ten: u64 = 1;
    loop {
        let tops = [10, 12, 16, 20, 40, 60, 80].map(|step| ten.saturating_mul(step));
        if let Some(top) = tops.into_iter().find(|top| *top >= most) {
            return top;
        }
        ten = ten.saturating_mul(10);
    }
}

/// A number as short as an axis wants it: `400`, `20k`, `4M`.
fn axis(number: u64) -> String {
    match number {
        0..10_000 => number.to_string(),
        10_000..1_000_000 => format!("{}k", number / 1_000),
        _ => format!("{}M", thousands(number / 1_000_000)),
    }
}

/// Draws the last days up to `now`.
pub(crate) fn draw(bars: &Bars<'_>, counts: &Counts<'_>, now: Timestamp) -> Picture {
    let days: Vec<String> = (0..DAYS).rev().map(|back| day(now - Duration::from_hours(24) * back)).collect();
    let sum = |day: &str| -> u64 {
        let of = bars.parts.iter().filter_map(|part| counts.get(&(day, *part)));
        of.fold(0, |sum, count| sum.saturating_add(*count))
    };
    let most = days.iter().map(|day| sum(day)).max().unwrap_or(0);
    let total = days.iter().map(|day| sum(day)).fold(0, u64::saturating_add);
    let least = if bars.is_at_least { "at least " } else { "" };
    let description = format!(
        "{least}{} {} in {DAYS} days, {} on the day with the most. The table has all numbers.",
        thousands(total),
        bars.what,
        thousands(most)
    );
    let frame = Frame::new(bars.size, most);
    let mut svg = Svg::new(bars.id, frame.width, frame.height, bars.title, &description);
    grid(&mut svg, &frame);
    for (number, day) in days.iter().enumerate() {
        let x = frame.left + 6 + i32::try_from(number).unwrap_or(0) * frame.step;
        let mut y = frame.bottom();
        for part in bars.parts {
            let Some(count) = counts.get(&(day.as_str(), *part)).filter(|count| **count > 0) else {
                continue;
            };
            let tall = frame.tall(*count).max(2);
            y -= tall;
            svg.begin("g", &[("class", &format!("bar {part}"))]);
            svg.words("title", &[], &format!("{day}: {part}, {least}{}", thousands(*count)));
            let [x, y, bar, tall] = [x, y, frame.bar, tall].map(|number| number.to_string());
            svg.shape("rect", &[("x", &x), ("y", &y), ("width", &bar), ("height", &tall)]);
            svg.end();
        }
        // Counted from today back, so that today is named.
        if (days.len() - 1 - number).is_multiple_of(frame.named) {
            let [x, y] = [x + frame.bar / 2, frame.height - 8].map(|number| number.to_string());
            let place = [("class", "note"), ("x", &*x), ("y", &*y), ("text-anchor", "middle")];
            svg.words("text", &place, day.get(5..).unwrap_or_default());
        }
    }
    svg.finish()
}

/// Lines at nothing, at half and at the top, with their numbers.
fn grid(svg: &mut Svg, frame: &Frame) {
    let mut marks = vec![0, frame.top / 2, frame.top];
    marks.dedup();
    for mark in marks {
        let y = frame.bottom() - frame.tall(mark);
        let [left, right, at, beside, below] =
            [frame.left, frame.width, y, frame.left - 6, y + 4].map(|number| number.to_string());
        svg.shape("line", &[("class", "grid"), ("x1", &left), ("x2", &right), ("y1", &at), ("y2", &at)]);
        let place = [("class", "note"), ("x", &*beside), ("y", &*below), ("text-anchor", "end")];
        svg.words("text", &place, &axis(mark));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HITS: Bars<'_> = Bars {
        id: "hits",
        title: "Hits",
        what: "hits",
        parts: &["sinkhole", "quarantine", "flow"],
        is_at_least: true,
        size: Size::Large,
    };

    #[test]
    fn each_day_and_part_with_something_has_a_bar() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        let counts = Counts::from([
            (("2026-01-31", "sinkhole"), u64::MAX / 4),
            (("2026-01-31", "flow"), 1),
            (("2026-01-01", "quarantine"), 1_000),
            (("2026-01-02", "quarantine"), 0),
            (("2025-11-01", "quarantine"), 10),
        ]);
        for size in [Size::Small, Size::Large] {
            let picture = draw(&Bars { size, ..HITS }, &counts, now);
            let markup = picture.markup();
            assert_eq!(
                markup.matches("<rect").count(),
                3,
                "what is older than the chart is not in it: {markup}"
            );
            assert!(markup.contains("2026-01-01: quarantine, at least 1,000"), "{markup}");
            assert!(markup.contains(">01-31</text>"), "today is named: {markup}");
            assert!(!markup.contains("\"-"), "nothing is negative: {markup}");
        }
    }

    #[test]
    fn an_axis_ends_at_a_round_number() {
        for (most, want) in
            [(0, 1), (1, 1), (3, 4), (5, 6), (9, 10), (11, 12), (112, 120), (401, 600), (801, 1_000)]
        {
            assert_eq!(round_up(most), want, "{most}");
        }
        assert_eq!(round_up(u64::MAX), u64::MAX);
        for (number, want) in [(400, "400"), (20_000, "20k"), (4_000_000, "4M")] {
            assert_eq!(axis(number), want);
        }
    }
}
