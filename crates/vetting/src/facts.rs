//! Facts: what the ties of one entity amount to, in the words that rules ask about.
//!
//! Every fact has two values. The *certain* one holds however the unknown turns out; the *possible* one is the most
//! that the unknown leaves open. A stake "between 25 and 50 %" is certainly 2501 basis points and possibly 5000.
//! Beside the values stand the reasons: steps down to the statements that were made.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::json;

use crate::Step;

/// What kind of value a fact has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Yes or no.
    Flag,
    /// A part, in basis points, or a count.
    Number,
    /// A set of words.
    Words,
}

macro_rules! facts {
    ($($name:ident $text:literal $kind:ident $about:literal),+ $(,)?) => {
        /// The facts that rules can ask about; `schema.cedarschema` declares the same.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FactName {
            $(#[doc = $about] $name),+
        }

        impl FactName {
            /// All of them, in the order of the schema.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its name in the schema.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// What kind of value it has.
            #[must_use]
            pub fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind),+ }
            }

            /// What it says, for people.
            #[must_use]
            pub fn about(self) -> &'static str {
                match self { $(Self::$name => $about),+ }
            }
        }
    };
}

facts! {
    Applicant "applicant" Flag "it asks to join",
    Negotiating "negotiating" Flag "it negotiates a mitigation in good faith",
    ForeignHolding "foreign_holding" Number "largest part held by one foreign person",
    ForeignCountryHolding "foreign_country_holding" Number "largest part held from one foreign country",
    ForeignVotes "foreign_votes" Number "votes held directly by foreign persons",
    ForeignAppoints "foreign_appoints" Flag "a foreign person appoints to its board or management",
    ForeignControl "foreign_control" Flag "a foreign person controls it",
    ForeignProspect "foreign_prospect" Flag "an option or plan would give a foreign person control, or more",
    ForeignGovernment "foreign_government" Flag "a foreign state holds a part of it",
    Allied "allied" Flag "whoever foreign controls it is of an allied country",
    AdversaryHolding "adversary_holding" Number "part held by persons of adverse states",
    AdversaryControl "adversary_control" Flag "a person of an adverse state controls it",
    ConcernHolding "concern_holding" Number "part held by parties of concern",
    ConcernControl "concern_control" Flag "a party of concern controls it",
    BeneficialOwner "beneficial_owner" Number "largest part of one natural person through all chains",
    Undisclosed "undisclosed" Number "part held by nobody knows whom, or in another's name",
    Conflicted "conflicted" Flag "sources contradict each other",
    Listed "listed" Words "lists that name it",
    Chain "chain" Words "lists whose 50 % closure reaches it",
    Alone "alone" Words "lists of which one entry alone holds more than half",
    Controlled "controlled" Words "lists of which an entry controls it",
    Touched "touched" Words "lists of which an entry holds a part of it or shares a director",
    OutwardForeign "outward_foreign" Number "largest part that it holds of a foreign company",
    VentureConcern "venture_concern" Number "its largest part in a venture with a party of concern",
    VentureField "venture_field" Flag "such a venture works in an exchanged field",
    VentureReceives "venture_receives" Flag "such a venture receives its technology or staff",
    ForeignPlan "foreign_plan" Flag "a plan with a foreign party",
    ConcernPlan "concern_plan" Flag "a plan with a party of concern",
    ForeignContract "foreign_contract" Flag "a contract, supply or licence with a foreign party",
    ConcernContract "concern_contract" Flag "a contract or supply with a party of concern",
    ForeignLicence "foreign_licence" Flag "a technology licence or royalty with a foreign party",
    ConcernLicence "concern_licence" Flag "a technology licence or royalty with a party of concern",
    ForeignRevenueOne "foreign_revenue_one" Number "largest part of its revenue from one foreign person",
    ForeignRevenueAll "foreign_revenue_all" Number "part of its revenue from foreign persons",
    ForeignDebt "foreign_debt" Flag "a debt to a foreign person",
    ForeignDebtDirects "foreign_debt_directs" Flag "a debt that lets a foreign lender direct it",
    ForeignGrant "foreign_grant" Flag "a grant of a foreign person",
    ForeignInterlock "foreign_interlock" Flag "somebody who serves it serves a foreign party too",
    ConcernInterlock "concern_interlock" Flag "somebody who serves it serves a party of concern too",
    ForeignManager "foreign_manager" Flag "a director, officer or partner who is no citizen",
    ConcernEquipment "concern_equipment" Flag "equipment of a party of concern",
    ConcernEquipmentEssential "concern_equipment_essential" Flag "equipment of a party of concern as an essential part",
    Score "score" Number "points of the aggregate judgement",
    Overdue "overdue" Words "duties that are overdue",
    OverdueDays "overdue_days" Number "days by which the oldest duty is overdue",
    Instruments "instruments" Words "instruments in force",
}

/// A fact's value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// Yes or no.
    Flag(bool),
    /// A part, in basis points, or a count.
    Number(u32),
    /// A set of words.
    Words(BTreeSet<String>),
}

impl Value {
    /// The value that says nothing: no, 0, or the empty set.
    #[must_use]
    pub fn nothing(kind: Kind) -> Self {
        match kind {
            Kind::Flag => Self::Flag(false),
            Kind::Number => Self::Number(0),
            Kind::Words => Self::Words(BTreeSet::new()),
        }
    }

    fn join(&mut self, other: &Self) {
        match (self, other) {
            (Self::Flag(mine), Self::Flag(theirs)) => *mine |= theirs,
            (Self::Number(mine), Self::Number(theirs)) => *mine = (*mine).max(*theirs),
            (Self::Words(mine), Self::Words(theirs)) => mine.extend(theirs.iter().cloned()),
            (Self::Flag(_) | Self::Number(_) | Self::Words(_), _) => {}
        }
    }

    /// As JSON: a boolean, a number, or a list of words.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Flag(yes) => json!(yes),
            Self::Number(number) => json!(number),
            Self::Words(words) => json!(words),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

/// One fact of one entity.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fact {
    /// What holds however the unknown turns out.
    pub certain: Value,
    /// The most that the unknown leaves open; never less than what is certain.
    pub possible: Value,
    /// Why, for what is certain. Each step alone carries the value, or a part of it where the value is a sum or a set.
    pub because: Vec<Step>,
    /// Why more is possible.
    pub perhaps: Vec<Step>,
}

/// The facts of one entity, for one tier's decision or for all of them.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Facts {
    known: BTreeMap<FactName, Fact>,
}

impl Facts {
    /// The fact, if it says anything.
    #[must_use]
    pub fn get(&self, name: FactName) -> Option<&Fact> {
        self.known.get(&name)
    }

    /// What says anything, in the order of the schema.
    pub fn iter(&self) -> impl Iterator<Item = (FactName, &Fact)> {
        self.known.iter().map(|(name, fact)| (*name, fact))
    }

    /// The certain value.
    #[must_use]
    pub fn certain(&self, name: FactName) -> Value {
        self.known.get(&name).map_or_else(|| Value::nothing(name.kind()), |fact| fact.certain.clone())
    }

    /// The possible value.
    #[must_use]
    pub fn possible(&self, name: FactName) -> Value {
        self.known.get(&name).map_or_else(|| Value::nothing(name.kind()), |fact| fact.possible.clone())
    }

    /// All values in the order of [`FactName::ALL`]: what a decision depends on, and nothing else.
    #[must_use]
    pub fn values(&self, side: Side) -> Vec<Value> {
        let value = |name: &FactName| match side {
            Side::Certain => self.certain(*name),
            Side::Possible => self.possible(*name),
        };
        FactName::ALL.iter().map(value).collect()
    }

    /// Adds that `name` is certainly `value`, because of `step`. Of several numbers the largest counts; sets grow.
    pub fn certainly(&mut self, name: FactName, value: &Value, step: Step) {
        let fact = self.entry(name);
        let before = fact.certain.clone();
        fact.certain.join(value);
        fact.possible.join(value);
        match (&before, &fact.certain) {
            // A smaller number says nothing; a larger one replaces the reason.
            (Value::Number(old), Value::Number(new)) if old == new && *old > 0 => {}
            (Value::Number(_), _) => fact.because = vec![step],
            (Value::Flag(_) | Value::Words(_), _) => fact.because.push(step),
        }
    }

    /// Adds that `name` may be `value`, because of `step`.
    pub fn possibly(&mut self, name: FactName, value: &Value, step: Step) {
        let fact = self.entry(name);
        let before = fact.possible.clone();
        fact.possible.join(value);
        if before != fact.possible {
            if matches!(before, Value::Number(_)) {
                fact.perhaps.clear();
            }
            fact.perhaps.push(step);
        }
    }

    /// Sets a value that needs no proof: what the registry itself knows.
    pub fn told(&mut self, name: FactName, value: Value) {
        let fact = self.entry(name);
        fact.certain = value.clone();
        fact.possible = value;
    }

    fn entry(&mut self, name: FactName) -> &mut Fact {
        self.known.entry(name).or_insert_with(|| Fact {
            certain: Value::nothing(name.kind()),
            possible: Value::nothing(name.kind()),
            because: Vec::new(),
            perhaps: Vec::new(),
        })
    }
}

/// Which of a fact's two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// What is certain.
    Certain,
    /// What is possible.
    Possible,
}
