//! What somebody opened in a picture: it stands in the page's link, so it can be sent to somebody, and needs no script.
//!
//! `?open=0.below.acme` shows those below Acme from the first on, `?open=20.below.acme` from the twenty-first.

use std::collections::BTreeMap;

use crate::asked::Asked;

/// How many places of a picture are open at once. Each takes room from the others.
const OPENED_MAX: usize = 6;

/// On which side of a box something hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Above,
    Beside,
    Below,
}

impl Side {
    const ALL: [Self; 3] = [Self::Above, Self::Beside, Self::Below];

    /// The side on which something of a level hangs on something of another one.
    pub(super) fn of(level: i32, on: i32) -> Self {
        match level.cmp(&on) {
            std::cmp::Ordering::Less => Self::Above,
            std::cmp::Ordering::Equal => Self::Beside,
            std::cmp::Ordering::Greater => Self::Below,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Above => "above",
            Self::Beside => "beside",
            Self::Below => "below",
        }
    }

    /// How far from its box's row something on this side is drawn.
    pub(super) fn step(self) -> i32 {
        match self {
            Self::Above => -1,
            Self::Beside | Self::Below => 1,
        }
    }
}

/// The sides of boxes that are open, each from the box on that is shown first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Opened(BTreeMap<(Side, String), usize>);

impl Opened {
    /// What a link says. What cannot be read is not open.
    pub(crate) fn read(asked: &Asked) -> Self {
        Self::parse(asked.query.all("open"))
    }

    pub(super) fn parse<'t>(texts: impl Iterator<Item = &'t str>) -> Self {
        let one = |text: &str| {
            let (from, rest) = text.split_once('.')?;
            let (side, id) = rest.split_once('.')?;
            let side = Side::ALL.into_iter().find(|known| known.as_str() == side)?;
            Some(((side, id.to_owned()), from.parse().ok()?))
        };
        Self(texts.filter_map(one).take(OPENED_MAX).collect())
    }

    /// The page with this open.
    pub(crate) fn link(&self, asked: &Asked) -> String {
        let mut query = asked.query.with("open", None);
        for ((side, id), from) in &self.0 {
            query.add("open".to_owned(), format!("{from}.{}.{id}", side.as_str()));
        }
        format!("{}#picture-title", query.link(&asked.path))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn from(&self, side: Side, id: &str) -> Option<usize> {
        self.0.get(&(side, id.to_owned())).copied()
    }

    /// Whether anything that hangs on this is open.
    pub(super) fn hangs_on(&self, id: &str) -> bool {
        self.0.keys().any(|(_, known)| known == id)
    }

    /// The same with one side of a box open from there on, or folded.
    pub(super) fn with(&self, side: Side, id: &str, from: Option<usize>) -> Self {
        let mut changed = self.clone();
        let key = (side, id.to_owned());
        changed.0.remove(&key);
        if let Some(from) = from {
            if changed.0.len() >= OPENED_MAX {
                changed.0.pop_first();
            }
            changed.0.insert(key, from);
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_is_read_from_a_link_and_what_is_not_understood_is_closed() {
        let texts = ["0.below.acme.eu", "20.above.x", "x.below.y", "1.under.y", "-1.below.y", "", "7"];
        let opened = Opened::parse(texts.into_iter());
        assert_eq!(opened.from(Side::Below, "acme.eu"), Some(0));
        assert_eq!(opened.from(Side::Above, "x"), Some(20));
        assert_eq!(opened.0.len(), 2);
        let closed = opened.with(Side::Below, "acme.eu", None);
        assert!(!closed.hangs_on("acme.eu") && closed.hangs_on("x"));
        let many =
            (0..20).fold(opened, |opened, number| opened.with(Side::Below, &number.to_string(), Some(0)));
        assert_eq!(many.0.len(), OPENED_MAX);
        assert_eq!(many.from(Side::Below, "19"), Some(0), "what was opened last is open");
    }
}
