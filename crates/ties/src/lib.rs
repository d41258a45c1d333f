//! Who owns, controls or is tied to whom, since when, and as known when.
