//! A part of a long table: which rows a page shows, and the links to those before and after.

use std::ops::Range;

use crate::asked::Asked;

/// What a page says of the part that it shows. Rows are counted from 1.
pub(crate) struct Part {
    pub(crate) first: usize,
    pub(crate) last: usize,
    pub(crate) of: usize,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

/// The rows of `count` that are shown, at most `each`, from that on which the query names as `row`; and what to say of it.
/// Links lead to the table, by the place of the page that is called `anchor`.
pub(crate) fn part(asked: &Asked, count: usize, each: usize, anchor: &str) -> (Range<usize>, Part) {
    let asked_for = asked.query.get("row").and_then(|text| text.parse::<usize>().ok()).unwrap_or(1);
    let start = asked_for.saturating_sub(1).min(count.saturating_sub(1));
    let end = (start + each).min(count);
    let link = |row: usize| {
        let row = row.to_string();
        format!("{}#{anchor}", asked.link("row", Some(&row).filter(|_| row != "1").map(String::as_str)))
    };
    let part = Part {
        first: start + 1,
        last: end,
        of: count,
        before: (start > 0).then(|| link(start.saturating_sub(each) + 1)),
        after: (end < count).then(|| link(end + 1)),
    };
    (start..end, part)
}
