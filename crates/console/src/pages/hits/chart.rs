//! The chart of hits: a bar for each day, a part of it for each countermeasure.

use std::collections::BTreeMap;
use std::time::Duration;

use exchange::DayHits;
use model::Timestamp;

use crate::svg::{Picture, Svg};
use crate::words::day;

/// How many days are shown, today and those before.
const DAYS: u64 = 31;
const WIDTH: i32 = 860;
const HEIGHT: i32 = 240;
/// Room for the numbers at the left, and for days below.
const LEFT: i32 = 60;
const BELOW: i32 = 30;
const ABOVE: i32 = 16;
const BAR: i32 = 18;
const STEP: i32 = 25;
/// From the bottom of a bar up.
const KINDS: [&str; 3] = ["sinkhole", "quarantine", "flow"];

/// Draws the hits of the last days up to `now`.
pub(super) fn draw(hits: &[DayHits], now: Timestamp) -> Picture {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for one in hits {
        counts.insert((one.day.as_str(), one.countermeasure), one.count);
    }
    let days: Vec<String> =
        (0..DAYS).rev().map(|back| day(now - Duration::from_secs(back * 86_400))).collect();
    let sum = |day: &str| KINDS.iter().filter_map(|kind| counts.get(&(day, *kind))).sum::<u64>();
    let most = days.iter().map(|day| sum(day)).max().unwrap_or(0).max(1);
    let total: u64 = days.iter().map(|day| sum(day)).sum();
    let description = format!(
        "At least {total} hits in {DAYS} days, {most} on the day with the most. The table below has all numbers."
    );
    let mut svg = Svg::new("hits-chart", WIDTH, HEIGHT, "Hits on each day, by countermeasure", &description);
    let room = HEIGHT - ABOVE - BELOW;
    let height = |count: u64| -> i32 {
        let part = u128::from(count) * u128::from(room.unsigned_abs()) / u128::from(most);
        i32::try_from(part).unwrap_or(room)
    };
    let text = |number: i32| number.to_string();
    for part in [0, most / 2, most] {
        let y = HEIGHT - BELOW - height(part);
        let (left, right) = (text(LEFT), text(WIDTH));
        svg.shape(
            "line",
            &[("class", "grid"), ("x1", &left), ("x2", &right), ("y1", &text(y)), ("y2", &text(y))],
        );
        let place =
            [("class", "note"), ("x", &*text(LEFT - 6)), ("y", &*text(y + 4)), ("text-anchor", "end")];
        svg.words("text", &place, &part.to_string());
    }
    for (number, day) in (0_i32..).zip(&days) {
        let x = LEFT + 6 + number * STEP;
        let mut y = HEIGHT - BELOW;
        for kind in KINDS {
            let Some(count) = counts.get(&(day.as_str(), kind)) else { continue };
            let tall = height(*count).max(2);
            y -= tall;
            svg.begin("g", &[("class", &format!("bar {kind}"))]);
            svg.words("title", &[], &format!("{day}: {kind}, at least {count}"));
            let (x, y) = (text(x), text(y));
            svg.shape("rect", &[("x", &x), ("y", &y), ("width", &text(BAR)), ("height", &text(tall))]);
            svg.end();
        }
        if number % 5 == 0 {
            let place = [("class", "note"), ("x", &*text(x)), ("y", &*text(HEIGHT - 8))];
            svg.words("text", &place, day.get(5..).unwrap_or_default());
        }
    }
    svg.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_day_and_countermeasure_with_hits_has_a_bar() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        let hit = |day: &str, countermeasure, count| DayHits {
            day: day.to_owned(),
            countermeasure,
            count,
            ..DayHits::default()
        };
        let hits = [
            hit("2026-01-31", "sinkhole", u64::MAX / 4),
            hit("2026-01-31", "flow", 1),
            hit("2026-01-01", "quarantine", 10),
            hit("2025-11-01", "quarantine", 10),
        ];
        let picture = draw(&hits, now);
        let markup = picture.markup();
        assert_eq!(markup.matches("<rect").count(), 3, "what is older than the chart is not in it: {markup}");
        assert!(markup.contains("2026-01-01: quarantine, at least 10"), "{markup}");
        assert!(!markup.contains("height=\"-"), "{markup}");
    }
}
