//! The limits that bound what one input may cost.

/// Limits of one input.
///
/// Every reading entry of the crate takes these, so that no sender decides how much memory or time
/// its bytes take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Deepest nesting of objects and lists; more than 512 is never allowed.
    ///
    /// 100: the objects of the standard nest six deep, published extensions a dozen.
    pub nesting_max: usize,
    /// Largest single object, in bytes.
    ///
    /// 16 MiB: the largest object in public feeds, a catalogue of references, has 3 MB; an artifact
    /// with a sample inside may need more.
    pub object_size_max_bytes: usize,
    /// Most objects in one input.
    ///
    /// 1,000,000: forty times the largest bundle in public use.
    pub object_count_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { nesting_max: 100, object_size_max_bytes: 16 * 1024 * 1024, object_count_max: 1_000_000 }
    }
}
