//! Facts: what the ties of one entity amount to, in the words that rules ask about.
//!
//! Every fact has two values. The *certain* one holds however the unknown turns out; the *possible* one is the most
//! that the unknown leaves open. A stake "between 25 and 50 %" is certainly 2501 basis points and possibly 5000.
//! Beside the values stand the reasons: steps down to the statements that were made.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::{fmt, slice};

use serde::Serialize;
use serde_json::json;
use ties::{EntityId, Evidence, ListId, Truth};

use crate::Step;
use crate::scene::Scene;

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

            /// Whether ties make it what it is; the others are what the registry itself knows.
            #[must_use]
            pub fn is_of_ties(self) -> bool {
                !matches!(
                    self,
                    Self::Applicant | Self::Negotiating | Self::Overdue | Self::OverdueDays | Self::Instruments
                )
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
    VentureDeclared "venture_declared" Flag "it and a party of concern are declared parents of a venture",
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
    /// Why, for what is certain: one reason for a number or a flag, one for each word of a set.
    pub because: Vec<Step>,
    /// Further reasons for a flag, each of which would do as well; the first few.
    pub also: Vec<Step>,
    /// Why more is possible.
    pub perhaps: Vec<Step>,
}

/// How many further reasons are kept.
const ALSO_MAX: usize = 9;

/// A line that nobody has reached: how near the best group comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Near {
    /// What would be so beyond it, and what it takes.
    pub line: String,
    /// Who comes nearest: those whose direct holdings count together, the largest first.
    pub who: Vec<EntityId>,
    /// The least that they hold, in basis points.
    pub least: u32,
    /// The most that they can hold, in basis points.
    pub most: u32,
    /// What they certainly lack, in basis points; 0 if any more at all would do.
    pub missing: u32,
    /// The same in a sentence.
    pub text: String,
}

/// The reason of a number, made when somebody asks for it: most are never shown, and some name hundreds of ties.
pub(crate) type Reason = Rc<dyn Fn(&Scene<'_>) -> Step>;

/// A reason that may not have been asked for.
#[derive(Clone)]
struct Later {
    reason: Reason,
    step: OnceCell<Step>,
}

impl fmt::Debug for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Later").field(&self.step).finish()
    }
}

/// The facts of one entity, for one tier's decision or for all of them.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    known: BTreeMap<FactName, Fact>,
    /// Reasons of numbers that stand in no fact yet, of what is certain and of what is possible.
    later: BTreeMap<(FactName, Side), Later>,
    /// Values alone, without reasons.
    quiet: bool,
    /// Whether selling something could bring to light what now counts as its own affair.
    pub(crate) hides: bool,
    pub(crate) near: Vec<(Near, Evidence)>,
    /// What is not known, in words, each with who may see the name in it.
    pub(crate) unknown: Vec<(String, Evidence)>,
    /// What of it is undisclosed for certain.
    pub(crate) hidden: Vec<(String, Evidence)>,
}

impl Facts {
    /// None yet; with reasons to come, or without.
    pub(crate) fn none_yet(reasons: bool) -> Self {
        Self { quiet: !reasons, ..Self::default() }
    }

    /// The fact, if it says anything. The reason of a number may be missing in it: a decision makes it when it shows it.
    #[must_use]
    pub fn get(&self, name: FactName) -> Option<&Fact> {
        self.known.get(&name)
    }

    /// What says anything, in the order of the schema; reasons as with [`get`](Self::get).
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

    /// A value, if it says anything.
    #[must_use]
    pub fn value(&self, name: FactName, side: Side) -> Option<&Value> {
        self.known.get(&name).map(|fact| match side {
            Side::Certain => &fact.certain,
            Side::Possible => &fact.possible,
        })
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

    /// Adds that `name` is certainly `value`. Of several numbers the largest counts; sets grow; of several reasons for
    /// a flag the one that most may see comes first.
    pub(crate) fn certainly(&mut self, name: FactName, value: &Value, step: impl FnOnce() -> Step) {
        let quiet = self.quiet;
        let fact = self.entry(name);
        let before = fact.certain.clone();
        fact.certain.join(value);
        fact.possible.join(value);
        if quiet {
            return;
        }
        match value {
            Value::Number(_) if before != fact.certain => {
                fact.because = vec![step()];
                self.later.remove(&(name, Side::Certain));
            }
            _ if before == Value::nothing(name.kind()) => fact.because = vec![step()],
            Value::Words(_) if before != fact.certain => fact.because.push(step()),
            Value::Flag(_) if fact.also.len() < ALSO_MAX => {
                let mut step = step();
                if let Some(first) = fact.because.first_mut().filter(|first| first.evidence > step.evidence) {
                    std::mem::swap(first, &mut step);
                }
                fact.also.push(step);
            }
            Value::Number(_) | Value::Words(_) | Value::Flag(_) => {}
        }
    }

    /// Adds that `name` is, or may be, this number, for a reason that is made when it is asked for.
    pub(crate) fn number(
        &mut self,
        name: FactName,
        side: Side,
        number: u32,
        reason: impl FnOnce() -> Reason,
    ) {
        let (quiet, value) = (self.quiet, Value::Number(number));
        let fact = self.entry(name);
        let so_far = match side {
            Side::Certain => &mut fact.certain,
            Side::Possible => &mut fact.possible,
        };
        let before = so_far.clone();
        so_far.join(&value);
        let is_more = *so_far != before;
        fact.possible.join(&value);
        if is_more && !quiet {
            match side {
                Side::Certain => fact.because.clear(),
                Side::Possible => fact.perhaps.clear(),
            }
            self.later.insert((name, side), Later { reason: reason(), step: OnceCell::new() });
        }
    }

    /// The reason of a number that stands in no fact, made now if it was not asked for before. The scene is the one that
    /// the facts were found in.
    pub(crate) fn reason(&self, name: FactName, side: Side, scene: &Scene<'_>) -> &[Step] {
        let later = self.later.get(&(name, side));
        later.map_or(&[], |later| slice::from_ref(later.step.get_or_init(|| (later.reason)(scene))))
    }

    /// Makes all reasons that were not asked for yet, while their scene is at hand.
    pub(crate) fn prove(&mut self, scene: &Scene<'_>) {
        for ((name, side), later) in std::mem::take(&mut self.later) {
            let step = later.step.into_inner().unwrap_or_else(|| (later.reason)(scene));
            let fact = self.entry(name);
            match side {
                Side::Certain => fact.because.push(step),
                Side::Possible => fact.perhaps.push(step),
            }
        }
    }

    /// Adds that `name` may be `value`.
    pub(crate) fn possibly(&mut self, name: FactName, value: &Value, step: impl FnOnce() -> Step) {
        let quiet = self.quiet;
        let fact = self.entry(name);
        let before = fact.possible.clone();
        fact.possible.join(value);
        if before != fact.possible && !quiet {
            if matches!(before, Value::Number(_)) {
                fact.perhaps.clear();
            }
            fact.perhaps.push(step());
            self.later.remove(&(name, Side::Possible));
        }
    }

    /// Adds that `name` is `value`, as certainly as `truth` says.
    pub(crate) fn add(&mut self, name: FactName, truth: Truth, value: &Value, step: impl FnOnce() -> Step) {
        match truth {
            Truth::Certain => self.certainly(name, value, step),
            Truth::Possible => self.possibly(name, value, step),
            Truth::No => {}
        }
    }

    /// Adds that a flag is up.
    pub(crate) fn flag(&mut self, name: FactName, truth: Truth, step: impl FnOnce() -> Step) {
        self.add(name, truth, &Value::Flag(true), step);
    }

    /// Adds that a set has this list in it.
    pub(crate) fn word(&mut self, name: FactName, truth: Truth, list: &ListId, step: impl FnOnce() -> Step) {
        self.add(name, truth, &Value::Words([list.to_string()].into()), step);
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
            also: Vec::new(),
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
