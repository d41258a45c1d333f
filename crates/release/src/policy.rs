//! The programme's release policies, asked.
//!
//! Who may have what is written in the programme's `release.cedar`; this module states the question. It tells Cedar
//! what there is to know about the reader, the label and the collection ([`entities`]), judges the label's ACS
//! markings for the reader (`acs`), and hands the answer back with the names of the policies that gave it.
//!
//! Three rules hold whatever a policy says:
//!
//! - what no policy permits is refused, and one that forbids outweighs all that permit (Cedar's own rule);
//! - a policy that fails while it is evaluated makes the answer no. Cedar leaves such a policy out, and a `forbid`
//!   that is left out would open what it should close;
//! - a schema that does not fit what the hub has to say is refused when the [`Policy`] is made, not when a member asks.
//!
//! Ask once per reader, label and epoch, never per object. Where one reader is judged against many labels,
//! [`Policy::judge`] prepares the reader once.

mod entities;

use std::sync::Arc;

use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request};
use model::{Caller, CollectionId, Epoch, Member, Role, Subject};
use programme::{CaseAction, Programme};
use thiserror::Error;

use crate::{AcsAction, AcsLabel, Grants, Label, LabelFacts, View};
use entities::Vocabulary;

/// Who asks: a member as it is now, or one of the programme's people.
#[derive(Clone, Copy, Debug)]
pub enum Reader<'a> {
    /// A vetted organisation.
    Member(&'a Member),
    /// A part that a person plays.
    Role(Role),
}

/// The answer to one question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Yes or no.
    pub permitted: bool,
    /// The `@id` of each policy that decided, in order. None: no policy permits it.
    pub policies: Vec<String>,
    /// What went wrong while evaluating; where something did, the answer is no.
    pub errors: Vec<String>,
}

/// Why a programme's policies cannot be asked.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// The schema does not declare what the hub says, or declares what it does not say.
    #[error(
        "schema.cedarschema does not fit what a hub says about {subject}: {detail}; take that declaration from the template"
    )]
    Schema {
        /// What it is said about.
        subject: &'static str,
        /// What does not fit.
        detail: String,
    },
}

/// A programme's release policies, ready to be asked.
#[derive(Debug)]
pub struct Policy {
    programme: Arc<Programme>,
    vocabulary: Vocabulary,
    /// The collections and the actions, which are the same for every question.
    fixed: Entities,
    /// The context of a label without an ACS marking.
    unmarked: Context,
    nothing: Subject,
}

/// What is done with content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Read,
    Display,
    Enforce,
    Redistribute,
}

impl Policy {
    /// The policies of `programme`.
    ///
    /// # Errors
    ///
    /// Fails if the programme's schema does not fit what this module says about readers, labels and collections.
    pub fn new(programme: Arc<Programme>) -> Result<Self, PolicyError> {
        let vocabulary = Vocabulary::new(&programme)?;
        let fixed = vocabulary.fixed(&programme)?;
        let unmarked = entities::context(entities::NO_ACS)
            .map_err(|detail| PolicyError::Schema { subject: "ACS markings", detail })?;
        Ok(Self { programme, vocabulary, fixed, unmarked, nothing: Subject::default() })
    }

    /// The programme.
    #[must_use]
    pub fn programme(&self) -> &Arc<Programme> {
        &self.programme
    }

    /// Prepares `reader` to be judged against many labels.
    #[must_use]
    pub fn judge<'a>(&'a self, reader: Reader<'a>) -> Judge<'a> {
        self.judge_by(self.programme.policies().release(), reader)
    }

    /// The same, by some of the policies alone.
    pub(crate) fn judge_by<'a>(&'a self, release: &'a PolicySet, reader: Reader<'a>) -> Judge<'a> {
        let principal = self.vocabulary.principal(reader);
        let known = match reader {
            Reader::Member(member) => self.vocabulary.with_member(&self.fixed, &principal, member),
            Reader::Role(_) => Ok(self.fixed.clone()),
        };
        let subject = match reader {
            Reader::Member(member) => &member.subject,
            Reader::Role(_) => &self.nothing,
        };
        Judge { policy: self, release, principal, subject, known }
    }

    /// Whether `reader` may be handed objects with this label.
    #[must_use]
    pub fn may_read(&self, reader: Reader<'_>, label: &Label) -> Verdict {
        self.judge(reader).may_read(label)
    }

    /// Whether `reader` may show them to its own people.
    #[must_use]
    pub fn may_display(&self, reader: Reader<'_>, label: &Label) -> Verdict {
        self.judge(reader).content(Use::Display, label)
    }

    /// Whether the countermeasures of `reader` may act on them.
    #[must_use]
    pub fn may_enforce(&self, reader: Reader<'_>, label: &Label) -> Verdict {
        self.judge(reader).content(Use::Enforce, label)
    }

    /// Whether `reader` may pass them on, to its customers or beyond.
    #[must_use]
    pub fn may_redistribute(&self, reader: Reader<'_>, label: &Label) -> Verdict {
        self.judge(reader).content(Use::Redistribute, label)
    }

    /// Whether `reader` may add objects to `collection`.
    #[must_use]
    pub fn may_publish(&self, reader: Reader<'_>, collection: &CollectionId) -> Verdict {
        self.judge(reader).collection(&self.vocabulary.publish, collection)
    }

    /// Whether `reader` sees that `collection` exists, with the policies that say so.
    #[must_use]
    pub fn may_list(&self, reader: Reader<'_>, collection: &CollectionId) -> Verdict {
        self.judge(reader).collection(&self.vocabulary.list, collection)
    }

    /// Whether `reader` sees that `collection` exists and may ask for what it holds. To whom the answer is no, the
    /// collection is absent.
    #[must_use]
    pub fn may_see_collection(&self, reader: Reader<'_>, collection: &CollectionId) -> bool {
        self.may_list(reader, collection).permitted
    }

    /// What `caller` may see at `epoch`, by `grants` that were judged at that epoch for the caller's principal.
    ///
    /// INVARIANT: nothing else makes a [`View`].
    #[must_use]
    pub fn view(&self, caller: Caller, epoch: Epoch, grants: Arc<Grants>) -> View {
        View::new(caller, epoch, grants)
    }

    /// What `caller`'s countermeasures may act on at `epoch` and the caller may not read: grants on exactly these labels. What
    /// is chosen by such a view is handed out blinded and in no other way. `reader` is the caller's principal, if there is
    /// such a reader still; `resolve` gives a label with the markings that are known by now.
    ///
    /// A label with embargo or expiry is open within these, and one that names ends only where the ends are open so, too.
    #[must_use]
    pub fn blinded_view(
        &self,
        caller: Caller,
        epoch: Epoch,
        reader: Option<Reader<'_>>,
        labels: &[LabelFacts],
        resolve: impl Fn(&Label) -> Label,
    ) -> View {
        let mut grants = Grants::of(caller.principal.clone());
        if let Some(reader) = reader {
            let judge = self.judge(reader);
            grants.judge_new(labels, |label| {
                let label = resolve(label);
                judge.may_enforce(&label).permitted && !judge.may_read(&label).permitted
            });
        }
        self.view(caller, epoch, Arc::new(grants))
    }
}

/// One reader, prepared to be judged.
#[derive(Debug)]
pub struct Judge<'a> {
    policy: &'a Policy,
    release: &'a PolicySet,
    principal: EntityUid,
    subject: &'a Subject,
    known: Result<Entities, String>,
}

impl Judge<'_> {
    /// Whether the reader may be handed objects with this label.
    #[must_use]
    pub fn may_read(&self, label: &Label) -> Verdict {
        self.content(Use::Read, label)
    }

    /// Whether the reader may show them to its own people.
    #[must_use]
    pub fn may_display(&self, label: &Label) -> Verdict {
        self.content(Use::Display, label)
    }

    /// Whether the reader's countermeasures may act on them.
    #[must_use]
    pub fn may_enforce(&self, label: &Label) -> Verdict {
        self.content(Use::Enforce, label)
    }

    /// Whether the reader may pass them on.
    #[must_use]
    pub fn may_redistribute(&self, label: &Label) -> Verdict {
        self.content(Use::Redistribute, label)
    }

    /// Whether the reader may do `action`: with this label, or to the collection that it names.
    pub(crate) fn may(&self, action: CaseAction, label: &Label) -> Verdict {
        let vocabulary = &self.policy.vocabulary;
        match action {
            CaseAction::Read => self.content(Use::Read, label),
            CaseAction::Display => self.content(Use::Display, label),
            CaseAction::Enforce => self.content(Use::Enforce, label),
            CaseAction::Redistribute => self.content(Use::Redistribute, label),
            CaseAction::List => self.collection(&vocabulary.list, &label.collection),
            CaseAction::Publish => self.collection(&vocabulary.publish, &label.collection),
        }
    }

    fn content(&self, wanted: Use, label: &Label) -> Verdict {
        let vocabulary = &self.policy.vocabulary;
        let action = match wanted {
            Use::Read => &vocabulary.read,
            Use::Display => &vocabulary.display,
            Use::Enforce => &vocabulary.enforce,
            Use::Redistribute => &vocabulary.redistribute,
        };
        let unmarked_tlp = self.policy.programme.settings().unmarked_tlp;
        let asked = self.known.as_ref().map_err(Clone::clone).and_then(|known| {
            let entities = vocabulary.with_label(known, label, unmarked_tlp)?;
            Ok((entities, self.context(label)?))
        });
        match asked {
            Ok((entities, context)) => self.ask(action, &vocabulary.label, context, &entities),
            Err(error) => Verdict { errors: vec![error], ..Verdict::default() },
        }
    }

    fn collection(&self, action: &EntityUid, collection: &CollectionId) -> Verdict {
        let vocabulary = &self.policy.vocabulary;
        let error = match &self.known {
            Ok(_) if self.policy.programme.collection(collection).is_none() => {
                format!("there is no collection `{collection}`")
            }
            Ok(known) => {
                return self.ask(action, &vocabulary.collection(collection), Context::empty(), known);
            }
            Err(error) => error.clone(),
        };
        Verdict { errors: vec![error], ..Verdict::default() }
    }

    fn context(&self, label: &Label) -> Result<Context, String> {
        let markings = &label.demands.acs;
        if markings.is_empty() {
            return Ok(self.policy.unmarked.clone());
        }
        // ACS 3.0: several markings on one object all have to admit.
        let all = |admits: &dyn Fn(&AcsLabel) -> bool| markings.iter().all(admits);
        entities::context([
            ("acs_access", all(&|marking| marking.may_hold(self.subject).is_ok())),
            ("acs_display", all(&|marking| marking.may(self.subject, AcsAction::Dsply))),
            ("acs_netdef", all(&|marking| marking.may(self.subject, AcsAction::Netdef))),
            ("acs_onward", all(&|marking| marking.may_pass_to(self.subject))),
            ("acs_reshare", all(&AcsLabel::may_pass_to_anyone)),
        ])
    }

    fn ask(
        &self,
        action: &EntityUid,
        resource: &EntityUid,
        context: Context,
        entities: &Entities,
    ) -> Verdict {
        let policies = self.policy.programme.policies();
        let request = Request::new(
            self.principal.clone(),
            action.clone(),
            resource.clone(),
            context,
            Some(policies.schema()),
        );
        let request = match request {
            Ok(request) => request,
            Err(error) => return Verdict { errors: vec![error.to_string()], ..Verdict::default() },
        };
        let response = Authorizer::new().is_authorized(&request, self.release, entities);
        let mut decided: Vec<_> = response
            .diagnostics()
            .reason()
            .map(|id| policies.rule(id).map_or_else(|| id.to_string(), |rule| rule.id.clone()))
            .collect();
        decided.sort();
        let mut errors: Vec<_> = response.diagnostics().errors().map(ToString::to_string).collect();
        errors.sort();
        let permitted = response.decision() == Decision::Allow && errors.is_empty();
        Verdict { permitted, policies: decided, errors }
    }
}

#[cfg(test)]
mod tests;
