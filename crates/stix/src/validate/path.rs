//! Where a finding stands.

use std::fmt::Write as _;

/// Where the checker stands, as a chain of steps back to the root; it is only written out when
/// there is a finding.
pub(super) struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Key(&'p str),
    Index(usize),
    /// A pointer that is already written, from here on.
    Pointer(&'p str),
}

impl<'p> Path<'p> {
    pub(super) const ROOT: Path<'static> = Path { parent: None, step: Step::Index(0) };

    pub(super) fn key(&'p self, key: &'p str) -> Path<'p> {
        Path { parent: Some(self), step: Step::Key(key) }
    }

    pub(super) fn index(&'p self, index: usize) -> Path<'p> {
        Path { parent: Some(self), step: Step::Index(index) }
    }

    pub(super) fn pointer_below(&'p self, pointer: &'p str) -> Path<'p> {
        Path { parent: Some(self), step: Step::Pointer(pointer) }
    }

    /// RFC 6901: `~` and `/` inside a key are written `~0` and `~1`.
    pub(super) fn pointer(&self, out: &mut String) {
        let Some(parent) = self.parent else { return };
        parent.pointer(out);
        match self.step {
            Step::Key(key) => {
                out.push('/');
                out.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Step::Index(index) => {
                let _ = write!(out, "/{index}");
            }
            Step::Pointer(pointer) => out.push_str(pointer),
        }
    }
}
