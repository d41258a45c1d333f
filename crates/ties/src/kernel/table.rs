//! Hash tables keyed by nodes. The numbers are our own and dense, so one multiplication spreads them well enough.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use super::holdings::Node;

pub(crate) type NodeMap<V> = HashMap<Node, V, BuildHasherDefault<NodeHasher>>;
pub(crate) type NodeSet = HashSet<Node, BuildHasherDefault<NodeHasher>>;

/// Multiplies by the golden ratio of 2^64 and turns the well-mixed upper half to where tables look.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NodeHasher(u64);

impl Hasher for NodeHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(u32::from(byte));
        }
    }

    fn write_u32(&mut self, node: u32) {
        self.0 = (self.0 ^ u64::from(node)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
    }
}
