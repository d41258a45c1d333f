//! The procedure: which steps follow from a grade by themselves, and which need several people.
//!
//! | standing | grade | what follows |
//! |---|---|---|
//! | listed | review | a review is opened, with a due date |
//! | listed | condition | listed with conditions, at once |
//! | listed, with or without conditions | suspend, bar | suspended, at once |
//! | listed with conditions, by the rules | clear, disclose | listed |
//! | suspended by the rules, reinstating | better than suspend | a reinstatement is proposed |
//! | listed, with or without conditions | a review is overdue | under review, off the list |
//!
//! Suspension is fast; removal, return and a decision against the rules need two different people. An applicant is
//! never listed by a rule.

use model::{Grade, Standing};

/// What follows from a decision by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follows {
    Nothing,
    /// The step is made.
    Step(Standing),
    /// A person has to look.
    Review,
    /// Two people have to agree to the step.
    Proposal(Standing),
}

/// What is known of the standing beside itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// People decided against these very rules.
    pub(crate) overridden: bool,
    /// The rules brought it to this standing.
    pub(crate) by_rules: bool,
    /// A review is overdue.
    pub(crate) overdue: bool,
}

/// Where a grade below `suspend` belongs.
pub(crate) fn place(grade: Grade) -> Standing {
    match grade {
        Grade::Clear | Grade::Disclose | Grade::Review => Standing::Listed,
        Grade::Condition => Standing::ListedWithConditions,
        Grade::Suspend | Grade::Bar => Standing::Suspended,
    }
}

pub(crate) fn follows(standing: Standing, grade: Grade, known: Known) -> Follows {
    match standing {
        Standing::Listed | Standing::ListedWithConditions => follows_on_the_list(standing, grade, known),
        Standing::Suspended | Standing::Reinstating if grade < Grade::Suspend && known.by_rules => {
            Follows::Proposal(place(grade))
        }
        Standing::Suspended
        | Standing::Reinstating
        | Standing::Applicant
        | Standing::UnderReview
        | Standing::Removed => Follows::Nothing,
    }
}

fn follows_on_the_list(standing: Standing, grade: Grade, known: Known) -> Follows {
    let Known { overridden, by_rules, overdue } = known;
    let has_conditions = standing == Standing::ListedWithConditions;
    match grade {
        Grade::Suspend | Grade::Bar if !overridden => Follows::Step(Standing::Suspended),
        Grade::Clear | Grade::Disclose | Grade::Review | Grade::Condition if overdue => {
            Follows::Step(Standing::UnderReview)
        }
        Grade::Condition if !has_conditions && !overridden => Follows::Step(Standing::ListedWithConditions),
        Grade::Review => Follows::Review,
        Grade::Clear | Grade::Disclose if has_conditions && by_rules => Follows::Step(Standing::Listed),
        Grade::Clear | Grade::Disclose | Grade::Condition | Grade::Suspend | Grade::Bar => Follows::Nothing,
    }
}

/// How many different people a step needs, where the programme asks for `quorum`.
pub(crate) fn people(from: Standing, to: Standing, grade: Grade, quorum: u32) -> u32 {
    let removes = to == Standing::Removed;
    let returns = to.is_on_the_list()
        && matches!(from, Standing::Suspended | Standing::Removed | Standing::Reinstating);
    if removes || returns || overrides(to, grade) { quorum.max(1) } else { 1 }
}

/// Whether a standing is better than the one that belongs to a grade.
pub(crate) fn overrides(to: Standing, grade: Grade) -> bool {
    match place(grade) {
        Standing::Suspended => to.is_on_the_list(),
        Standing::ListedWithConditions => to == Standing::Listed,
        Standing::Listed
        | Standing::Applicant
        | Standing::UnderReview
        | Standing::Reinstating
        | Standing::Removed => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Standing::{Applicant, Listed, ListedWithConditions, Reinstating, Removed, Suspended, UnderReview};

    const PLAIN: Known = Known { overridden: false, by_rules: true, overdue: false };

    #[test]
    fn a_hard_rule_suspends_at_once_and_a_better_grade_only_proposes() {
        let cases = [
            (Listed, Grade::Clear, Follows::Nothing),
            (Listed, Grade::Disclose, Follows::Nothing),
            (Listed, Grade::Review, Follows::Review),
            (Listed, Grade::Condition, Follows::Step(ListedWithConditions)),
            (Listed, Grade::Suspend, Follows::Step(Suspended)),
            (Listed, Grade::Bar, Follows::Step(Suspended)),
            (ListedWithConditions, Grade::Clear, Follows::Step(Listed)),
            (ListedWithConditions, Grade::Condition, Follows::Nothing),
            (ListedWithConditions, Grade::Bar, Follows::Step(Suspended)),
            (Suspended, Grade::Suspend, Follows::Nothing),
            (Suspended, Grade::Condition, Follows::Proposal(ListedWithConditions)),
            (Reinstating, Grade::Clear, Follows::Proposal(Listed)),
            (Applicant, Grade::Clear, Follows::Nothing),
            (UnderReview, Grade::Clear, Follows::Nothing),
            (Removed, Grade::Clear, Follows::Nothing),
        ];
        for (standing, grade, want) in cases {
            assert_eq!(follows(standing, grade, PLAIN), want, "{standing} with {grade}");
        }
    }

    #[test]
    fn what_people_decided_the_rules_leave_alone() {
        let overridden = Known { overridden: true, ..PLAIN };
        assert_eq!(follows(Listed, Grade::Bar, overridden), Follows::Nothing);
        let by_people = Known { by_rules: false, ..PLAIN };
        assert_eq!(follows(ListedWithConditions, Grade::Clear, by_people), Follows::Nothing);
        assert_eq!(follows(Suspended, Grade::Clear, by_people), Follows::Nothing);
        let overdue = Known { overdue: true, ..PLAIN };
        assert_eq!(follows(Listed, Grade::Review, overdue), Follows::Step(UnderReview));
        assert_eq!(follows(Listed, Grade::Suspend, overdue), Follows::Step(Suspended));
    }

    #[test]
    fn every_step_that_follows_is_one_that_the_procedure_has() {
        for standing in Standing::ALL {
            for grade in Grade::ALL {
                for bits in 0..8 {
                    let known =
                        Known { overridden: bits & 1 > 0, by_rules: bits & 2 > 0, overdue: bits & 4 > 0 };
                    if let Follows::Step(to) | Follows::Proposal(to) = follows(standing, grade, known) {
                        assert!(standing.may_become(to), "{standing} to {to}");
                    }
                }
            }
        }
    }

    #[test]
    fn removal_return_and_override_need_two() {
        assert_eq!(people(Listed, Removed, Grade::Clear, 2), 2);
        assert_eq!(people(Suspended, Listed, Grade::Clear, 2), 2);
        assert_eq!(people(Reinstating, ListedWithConditions, Grade::Condition, 2), 2);
        assert_eq!(people(Applicant, Listed, Grade::Bar, 2), 2);
        assert_eq!(people(Applicant, Listed, Grade::Clear, 2), 1);
        assert_eq!(people(Listed, Suspended, Grade::Clear, 2), 1);
        assert_eq!(people(Suspended, Listed, Grade::Clear, 1), 1);
    }
}
