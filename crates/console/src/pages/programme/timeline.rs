//! The timeline of rules: a line for each, over the days on which it is in effect.

use model::Grade;
use programme::{PackRule, Programme};
use ties::{Day, Period};

use crate::svg::{Picture, Svg, shortened};

const WIDTH: i32 = 1_000;
/// Room for the rules' names at the left.
const LEFT: i32 = 250;
const ROW: i32 = 24;
const ABOVE: i32 = 30;
const NAME_LETTERS: usize = 34;
/// How many days a year has, near enough for a picture.
const YEAR: i32 = 365;

/// Draws when the rules of all packs are in effect.
pub(super) fn draw(programme: &Programme, today: Day) -> Picture {
    let rules: Vec<(bool, &PackRule)> = programme
        .packs()
        .iter()
        .flat_map(|pack| pack.rules.iter().map(|rule| (pack.about.in_force, rule)))
        .collect();
    let dates = rules.iter().flat_map(|(_, rule)| [rule.effective.from, rule.effective.to]).flatten();
    let dates: Vec<i32> = dates.map(|date| date.settled().as_days()).collect();
    let first = dates.iter().copied().min().unwrap_or(today.as_days()).min(today.as_days()) - YEAR;
    let last = dates.iter().copied().max().unwrap_or(today.as_days()).max(today.as_days()) + YEAR;
    let height = ABOVE + ROW * i32::try_from(rules.len()).unwrap_or(0) + 10;
    let about = format!(
        "{} rules, each with the days on which it is in effect. The tables below have the dates in words.",
        rules.len()
    );
    let mut svg = Svg::new("rules-timeline", WIDTH, height, "When each rule is in effect", &about);
    let scale = Scale { first, last };
    years(&mut svg, &scale, height);
    for (number, (in_force, rule)) in (0_i32..).zip(&rules) {
        row(&mut svg, &scale, ABOVE + number * ROW, *in_force, rule);
    }
    let x = scale.x(today.as_days()).to_string();
    let place = [("class", "today"), ("x1", &*x), ("x2", &*x), ("y1", "18"), ("y2", &*height.to_string())];
    svg.shape("line", &place);
    svg.finish()
}

/// From days to places.
struct Scale {
    first: i32,
    last: i32,
}

impl Scale {
    fn x(&self, day: i32) -> i32 {
        let part = i64::from(day.clamp(self.first, self.last) - self.first) * i64::from(WIDTH - LEFT - 10);
        LEFT + i32::try_from(part / i64::from((self.last - self.first).max(1))).unwrap_or(0)
    }

    fn span(&self, period: Period) -> (i32, i32) {
        let from = period.from.map_or(self.first, |date| date.settled().as_days());
        let to = period.to.map_or(self.last, |date| date.settled().as_days());
        (self.x(from), self.x(to))
    }
}

fn years(svg: &mut Svg, scale: &Scale, height: i32) {
    let span_years = (scale.last - scale.first) / YEAR;
    // At most a dozen marks, on round years.
    let step = [1, 2, 5, 10, 20, 50, 100].into_iter().find(|step| span_years / step <= 12).unwrap_or(200);
    for year in 1_900..2_200_i32 {
        let Ok(day) = format!("{year}-01-01").parse::<Day>() else { continue };
        if year % step != 0 || day.as_days() < scale.first || day.as_days() > scale.last {
            continue;
        }
        let x = scale.x(day.as_days()).to_string();
        let line = [("class", "grid"), ("x1", &*x), ("x2", &*x), ("y1", "18"), ("y2", &*height.to_string())];
        svg.shape("line", &line);
        svg.words(
            "text",
            &[("class", "note"), ("x", &x), ("y", "13"), ("text-anchor", "middle")],
            &year.to_string(),
        );
    }
}

fn row(svg: &mut Svg, scale: &Scale, y: i32, in_force: bool, rule: &PackRule) {
    let class = format!("span {}{}", tone(rule.grade), if in_force { "" } else { " idle" });
    svg.begin("g", &[("class", &class)]);
    svg.words("title", &[], &format!("{} ({}): {}", rule.id, rule.grade, rule.text));
    let name = [("x", "0"), ("y", &*(y + 15).to_string())];
    svg.words("text", &name, &shortened(&rule.id, NAME_LETTERS));
    bar(svg, scale.span(rule.effective), y + 4, "on");
    for suspension in &rule.suspended {
        bar(svg, scale.span(suspension.out), y + 4, "off");
    }
    svg.end();
}

fn bar(svg: &mut Svg, (from, to): (i32, i32), y: i32, class: &str) {
    let (x, width) = (from.to_string(), (to - from).max(2).to_string());
    svg.shape(
        "rect",
        &[("class", class), ("x", &x), ("y", &y.to_string()), ("width", &width), ("height", "14")],
    );
}

/// How serious a rule is, as a colour has it.
fn tone(grade: Grade) -> &'static str {
    match grade {
        Grade::Clear | Grade::Disclose => "good",
        Grade::Review | Grade::Condition => "care",
        Grade::Suspend | Grade::Bar => "bad",
    }
}
