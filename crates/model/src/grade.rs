//! How serious a rule's finding is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What a rule says of a member on a tier, from harmless to worst. Of several, the worst counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// No rule found anything.
    #[default]
    Clear,
    /// To be disclosed, and no more.
    Disclose,
    /// A person has to look at it.
    Review,
    /// On the list with conditions.
    Condition,
    /// Off the list until it ends.
    Suspend,
    /// Off the list; whoever decides otherwise overrides the rule.
    Bar,
}

/// A word that is no grade.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{0}` is not a grade; one of clear, disclose, review, condition, suspend, bar")]
pub struct UnknownGrade(String);

impl Grade {
    /// All grades, from harmless to worst.
    pub const ALL: [Self; 6] =
        [Self::Clear, Self::Disclose, Self::Review, Self::Condition, Self::Suspend, Self::Bar];

    /// The grade's name as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Disclose => "disclose",
            Self::Review => "review",
            Self::Condition => "condition",
            Self::Suspend => "suspend",
            Self::Bar => "bar",
        }
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Grade {
    type Err = UnknownGrade;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|grade| grade.as_str() == text);
        found.ok_or_else(|| UnknownGrade(text.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grades_are_written_as_they_are_read_and_sorted_by_seriousness() {
        for (before, after) in Grade::ALL.iter().zip(&Grade::ALL[1..]) {
            assert!(before < after);
        }
        for grade in Grade::ALL {
            assert_eq!(grade.as_str().parse(), Ok(grade));
        }
        assert!("Suspend".parse::<Grade>().is_err());
    }
}
