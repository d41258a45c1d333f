//! What only the programme says, because guards act on it without asking anybody.
//!
//! A recall's notice has its particulars in `x_ringfence_recall`, and a confirmed false positive is an opinion labelled
//! `false-positive`. Guards believe both by their creator, which is the programme. So nobody else may stand as that creator, and nothing
//! of the kind may become the programme's by being *derived*: an object that a reader gets without its stricter parts has the
//! programme as its creator, whoever submitted the whole.
//!
//! ```text
//! note     x_ringfence_recall     refused: the hub alone writes properties of this family into objects
//! opinion  false-positive         taken, as its author's opinion; no derived object is made of it
//! ```

use stix::Document;

use crate::false_positives::FALSE_POSITIVE_LABEL;

/// The family of properties that the hub writes into objects.
const FAMILY: &str = "x_ringfence_";

/// Why an object is refused that has a property of the hub's.
pub(super) fn said(document: &Document<'_>) -> Option<String> {
    let (property, _) = document.root().members().find(|(property, _)| property.starts_with(FAMILY))?;
    Some(format!("/{property}: properties that begin with `{FAMILY}` are the hub's own words; leave it out"))
}

/// Whether it is an opinion of the kind by which the programme takes indicators out of use.
pub(super) fn is_verdict(document: &Document<'_>) -> bool {
    let root = document.root();
    let is_opinion = root.get("type").and_then(|kind| kind.text()).is_some_and(|kind| kind == "opinion");
    let labels = root.get("labels");
    let mut labels = labels.iter().flat_map(stix::Value::elements);
    is_opinion && labels.any(|label| label.text().is_some_and(|label| label == FALSE_POSITIVE_LABEL))
}
