//! Merkle trees as RFC 6962 §2.1 hashes them, and proofs about them.
//!
//! A leaf is hashed as `SHA-256(0x00 ‖ entry)`, an inner node as `SHA-256(0x01 ‖ left ‖ right)`; the first
//! byte keeps a node from passing as an entry. A tree of `n` leaves splits at the largest power of two below
//! `n`, so that every left half is complete and never changes again. Seven entries `a` to `g`:
//!
//! ```text
//!                 root
//!               /      \
//!          h03            h46          h03 covers the leaves 0 to 3, h46 the leaves 4 to 6
//!         /   \          /   \
//!      h01     h23     h45    \
//!      / \     / \     / \     \
//!     a   b   c   d   e   f     g
//! ```
//!
//! - **The frontier.** To go on, a log needs only the complete subtrees along the right edge: here `h03`,
//!   `h45` and `g`, of 4 + 2 + 1 leaves, as 7 is 111 in binary. The eighth leaf `h` makes
//!   `h67 = H(g, h)`, then `h47 = H(h45, h67)`, then `h07 = H(h03, h47)`; one hash is left, as 8 is 1000.
//!   See [`Frontier`].
//! - **Inclusion.** That `e` is the entry 4 of the seven is proved by `f`, `g`, `h03`:
//!   `H(h03, H(H(e, f), g))` must be the root. See [`inclusion_proof`] and [`verify_inclusion`].
//! - **Consistency.** That the tree of three is a prefix of the tree of seven is proved by `c`, `d`, `h01`,
//!   `h46`: `H(h01, c)` must be the old root, and `H(H(h01, H(c, d)), h46)` the new one. See
//!   [`consistency_proof`] and [`verify_consistency`].
//!
//! Making a proof reads stored nodes through a [`HashReader`]; checking one needs nothing but its arguments.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// The largest log we speak of: its size fits the signed 64-bit integers of every store and language, and no
/// arithmetic on leaf positions can overflow a `u64`.
pub const LOG_SIZE_MAX: u64 = (1 << 63) - 1;

/// The root of the tree without leaves: SHA-256 of nothing (RFC 6962 §2.1).
pub const EMPTY_ROOT: Hash = Hash([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
    0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

/// A SHA-256 hash: of a leaf, of a node, or of a whole tree. Written in base64, as the C2SP formats do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; Hash::LEN]);

impl Hash {
    /// The length of a hash in bytes.
    pub const LEN: usize = 32;
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// The text is not the base64 of 32 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("not the base64 of a 32-byte hash")]
pub struct ParseHashError;

impl FromStr for Hash {
    type Err = ParseHashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = BASE64.decode(text).map_err(|_| ParseHashError)?;
        Ok(Self(bytes.try_into().map_err(|_| ParseHashError)?))
    }
}

/// Hashes one entry: `SHA-256(0x00 ‖ entry)`.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update([0x00]).chain_update(entry).finalize().into())
}

/// Hashes an inner node: `SHA-256(0x01 ‖ left ‖ right)`.
#[must_use]
pub fn node_hash(left: Hash, right: Hash) -> Hash {
    let mut block = [0x01; 1 + 2 * Hash::LEN];
    block[1..=Hash::LEN].copy_from_slice(&left.0);
    block[1 + Hash::LEN..].copy_from_slice(&right.0);
    Hash(Sha256::digest(block).into())
}

/// The place of a complete subtree: it covers the leaves `index << level` up to `(index + 1) << level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// The height; 0 is a leaf. At most 62 in a log of up to [`LOG_SIZE_MAX`] leaves.
    pub level: u8,
    /// The position among the nodes of this level, from the left.
    pub index: u64,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {} of level {}", self.index, self.level)
    }
}

/// The right edge of a tree: all that is needed to append to it and to know its root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// INVARIANT: one complete subtree for each 1 in the binary form of `size`, the largest first.
    edge: Vec<Hash>,
}

impl Frontier {
    /// The frontier of the empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a frontier together from a stored size and [edge](Self::edge); `None` if the two do not fit.
    #[must_use]
    pub fn from_parts(size: u64, edge: Vec<Hash>) -> Option<Self> {
        let fits = size <= LOG_SIZE_MAX && usize::try_from(size.count_ones()) == Ok(edge.len());
        fits.then_some(Self { size, edge })
    }

    /// Reads the frontier of the tree of `size` leaves from its stored nodes.
    pub fn read<R: HashReader>(size: u64, reader: &mut R) -> Result<Self, ProveError<R::Error>> {
        if size > LOG_SIZE_MAX {
            return Err(ProveError::OutOfRange { index: size, size: LOG_SIZE_MAX });
        }
        let edge = complete_nodes(0, size).map(|node| reader.hash(node)).collect::<Result<_, _>>();
        Ok(Self { size, edge: edge.map_err(ProveError::Read)? })
    }

    /// The number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The complete subtrees along the right edge, the largest first.
    #[must_use]
    pub fn edge(&self) -> &[Hash] {
        &self.edge
    }

    /// Appends a leaf: two hashes on average, one for each level at worst.
    pub fn append(&mut self, leaf: Hash) {
        self.append_with(leaf, |_, _| {});
    }

    /// Appends a leaf and tells of every node that it completes, from the leaf itself upwards.
    pub fn append_with(&mut self, leaf: Hash, mut completed: impl FnMut(Node, Hash)) {
        let mut node = Node { level: 0, index: self.size };
        let mut hash = leaf;
        completed(node, hash);
        // INVARIANT: a trailing 1 of `size` is a left sibling of this height, waiting at the end of `edge`.
        while node.index & 1 == 1
            && let Some(left) = self.edge.pop()
        {
            hash = node_hash(left, hash);
            node = Node { level: node.level + 1, index: node.index >> 1 };
            completed(node, hash);
        }
        self.edge.push(hash);
        self.size += 1;
    }

    /// The root of the whole tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        fold(&self.edge).unwrap_or(EMPTY_ROOT)
    }
}

/// Joins complete subtrees, the largest first, from the right: RFC 6962 puts what is incomplete there.
fn fold(edge: &[Hash]) -> Option<Hash> {
    edge.iter().rev().copied().reduce(|right, left| node_hash(left, right))
}

/// The complete subtrees that make up the leaves `from..to`, from the left, where `from` is the start of a
/// subtree in the sense of RFC 6962 (as it is wherever this module asks).
fn complete_nodes(mut from: u64, to: u64) -> impl Iterator<Item = Node> {
    std::iter::from_fn(move || {
        let left = to.checked_sub(from).filter(|left| *left > 0)?;
        let level = left.ilog2().min(from.trailing_zeros());
        let node = Node { level: u8::try_from(level).ok()?, index: from >> level };
        from += 1 << level;
        Some(node)
    })
}

/// Where complete nodes are stored. Takes `&mut self` so that a reader can keep what it has fetched.
pub trait HashReader {
    /// Why a node could not be read.
    type Error;

    /// The hash of one complete node.
    fn hash(&mut self, node: Node) -> Result<Hash, Self::Error>;
}

/// A node that a [`HashReader`] should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0} is not stored")]
pub struct MissingNode(pub Node);

/// All complete nodes in memory; good for small logs and for tests.
impl HashReader for BTreeMap<Node, Hash> {
    type Error = MissingNode;

    fn hash(&mut self, node: Node) -> Result<Hash, MissingNode> {
        self.get(&node).copied().ok_or(MissingNode(node))
    }
}

/// Why a proof could not be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProveError<E> {
    /// The entry, or the older tree, is not part of the tree.
    #[error("{index} lies outside a tree of {size}")]
    OutOfRange { index: u64, size: u64 },
    /// A stored node could not be read.
    #[error(transparent)]
    Read(E),
}

/// The largest power of two below `n`, where a tree of `n` leaves splits. Needs `n > 1`.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

fn range_hash<R: HashReader>(from: u64, to: u64, reader: &mut R) -> Result<Hash, ProveError<R::Error>> {
    let edge = complete_nodes(from, to).map(|node| reader.hash(node)).collect::<Result<Vec<_>, _>>();
    Ok(fold(&edge.map_err(ProveError::Read)?).unwrap_or(EMPTY_ROOT))
}

/// Proves that the tree of `size` leaves has its leaf `index`: the siblings from the leaf up to the root
/// (RFC 6962 §2.1.1).
pub fn inclusion_proof<R: HashReader>(
    index: u64,
    size: u64,
    reader: &mut R,
) -> Result<Vec<Hash>, ProveError<R::Error>> {
    if index >= size || size > LOG_SIZE_MAX {
        return Err(ProveError::OutOfRange { index, size });
    }
    let (mut from, mut to) = (0, size);
    let mut proof = Vec::new();
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            proof.push(range_hash(middle, to, reader)?);
            to = middle;
        } else {
            proof.push(range_hash(from, middle, reader)?);
            from = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// Proves that the tree of `old` leaves is a prefix of the tree of `size` leaves (RFC 6962 §2.1.2). The proof
/// is empty where nothing has to be shown: `old` is 0 or `size`.
pub fn consistency_proof<R: HashReader>(
    old: u64,
    size: u64,
    reader: &mut R,
) -> Result<Vec<Hash>, ProveError<R::Error>> {
    if old > size || size > LOG_SIZE_MAX {
        return Err(ProveError::OutOfRange { index: old, size });
    }
    let (mut from, mut to) = (0, size);
    let mut proof = Vec::new();
    if old == 0 {
        return Ok(proof);
    }
    while old != to {
        let middle = from + split(to - from);
        if old <= middle {
            proof.push(range_hash(middle, to, reader)?);
            to = middle;
        } else {
            proof.push(range_hash(from, middle, reader)?);
            from = middle;
        }
    }
    // The verifier knows the old root; it must be told the old tree's last subtree only if that is smaller.
    if from != 0 {
        proof.push(range_hash(from, to, reader)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The proof does not prove what it is said to prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the proof does not lead to the root")]
pub struct InvalidProof;

/// Checks that the tree of `size` leaves with this `root` has the leaf `leaf` at `index` (RFC 9162 §2.1.3.2).
pub fn verify_inclusion(
    proof: &[Hash],
    index: u64,
    leaf: Hash,
    size: u64,
    root: Hash,
) -> Result<(), InvalidProof> {
    if index >= size {
        return Err(InvalidProof);
    }
    let mut path = Path { node: index, last: size - 1 };
    let mut hash = leaf;
    for &sibling in proof {
        hash = match path.climb()? {
            Side::Left => node_hash(sibling, hash),
            Side::Right => node_hash(hash, sibling),
        };
    }
    if path.last == 0 && hash == root { Ok(()) } else { Err(InvalidProof) }
}

/// Checks that the tree of `old` leaves with `old_root` is a prefix of the tree of `size` leaves with `root`
/// (RFC 9162 §2.1.4.2). The empty tree is a prefix of every tree.
pub fn verify_consistency(
    proof: &[Hash],
    old: u64,
    old_root: Hash,
    size: u64,
    root: Hash,
) -> Result<(), InvalidProof> {
    let known = if old == 0 {
        proof.is_empty() && old_root == EMPTY_ROOT && (size > 0 || root == EMPTY_ROOT)
    } else if old == size {
        proof.is_empty() && old_root == root
    } else {
        return verify_growth(proof, old, old_root, size, root);
    };
    if known { Ok(()) } else { Err(InvalidProof) }
}

fn verify_growth(
    proof: &[Hash],
    old: u64,
    old_root: Hash,
    size: u64,
    root: Hash,
) -> Result<(), InvalidProof> {
    if old > size {
        return Err(InvalidProof);
    }
    // An old tree that is complete is itself the first node; otherwise the proof begins with it.
    let (first, rest) = if old.is_power_of_two() {
        (old_root, proof)
    } else {
        proof.split_first().map(|(first, rest)| (*first, rest)).ok_or(InvalidProof)?
    };
    let shared = (old - 1).trailing_ones();
    let mut path = Path { node: (old - 1) >> shared, last: (size - 1) >> shared };
    let (mut old_hash, mut hash) = (first, first);
    for &sibling in rest {
        match path.climb()? {
            Side::Left => {
                old_hash = node_hash(sibling, old_hash);
                hash = node_hash(sibling, hash);
            }
            Side::Right => hash = node_hash(hash, sibling),
        }
    }
    let holds = path.last == 0 && old_hash == old_root && hash == root;
    if holds { Ok(()) } else { Err(InvalidProof) }
}

/// Where a node's sibling lies.
enum Side {
    Left,
    Right,
}

/// A walk from a node to the root: the node's position on its level, and that of the level's last node.
struct Path {
    node: u64,
    last: u64,
}

impl Path {
    /// Goes up to the parent that has a sibling below it, past the levels on which the node is alone.
    fn climb(&mut self) -> Result<Side, InvalidProof> {
        if self.last == 0 {
            return Err(InvalidProof);
        }
        let side = if self.node & 1 == 1 {
            Side::Left
        } else if self.node == self.last {
            // The last node of an odd level has no sibling here; it moves up until it is a right child.
            let alone = self.node.trailing_zeros();
            self.node >>= alone;
            self.last >>= alone;
            Side::Left
        } else {
            Side::Right
        };
        self.node >>= 1;
        self.last >>= 1;
        Ok(side)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition of RFC 6962 §2.1, word for word.
    fn mth(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => EMPTY_ROOT,
            [leaf] => *leaf,
            more => {
                let mut k = 1;
                while k * 2 < more.len() {
                    k *= 2;
                }
                node_hash(mth(&more[..k]), mth(&more[k..]))
            }
        }
    }

    fn leaves(count: u8) -> Vec<Hash> {
        (0..count).map(|n| leaf_hash(&[n])).collect()
    }

    fn grow(leaves: &[Hash]) -> (Frontier, BTreeMap<Node, Hash>) {
        let mut frontier = Frontier::new();
        let mut nodes = BTreeMap::new();
        for leaf in leaves {
            frontier.append_with(*leaf, |node, hash| assert_eq!(nodes.insert(node, hash), None));
        }
        (frontier, nodes)
    }

    #[test]
    fn hashes_are_those_of_the_rfc() {
        let cases = [
            (EMPTY_ROOT, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
            (leaf_hash(b""), "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0="),
            (leaf_hash(b"hello world"), "TszzRgjTG6xce+z2AG31kAXYKBgQVtCSCE40HmuwBb0="),
        ];
        for (got, want) in cases {
            assert_eq!(got.to_string(), want);
            assert_eq!(want.parse(), Ok(got));
        }
        assert_eq!(Hash(Sha256::digest(b"").into()), EMPTY_ROOT);
        let by_hand = Sha256::digest([&[1][..], &EMPTY_ROOT.0, &EMPTY_ROOT.0].concat());
        assert_eq!(node_hash(EMPTY_ROOT, EMPTY_ROOT), Hash(by_hand.into()));
    }

    #[test]
    fn a_hash_text_of_another_length_or_alphabet_is_refused() {
        for text in ["", "AAAA", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU", "é"] {
            assert_eq!(text.parse::<Hash>(), Err(ParseHashError), "{text}");
        }
    }

    #[test]
    fn the_frontier_has_the_root_of_the_definition() {
        let leaves = leaves(130);
        for size in 0..=leaves.len() {
            let (frontier, _) = grow(&leaves[..size]);
            assert_eq!(frontier.root(), mth(&leaves[..size]), "{size}");
            assert_eq!(frontier.size(), size as u64);
        }
    }

    #[test]
    #[expect(clippy::many_single_char_names, reason = "the names of the example in the module's text")]
    fn the_worked_example_of_seven_leaves_holds() {
        let all = leaves(7);
        let [a, b, c, d, e, f, g] = all[..] else { panic!("seven leaves") };
        let (h01, h23, h45) = (node_hash(a, b), node_hash(c, d), node_hash(e, f));
        let (h03, h46) = (node_hash(h01, h23), node_hash(h45, g));
        let (frontier, mut nodes) = grow(&all);
        assert_eq!(frontier.edge(), [h03, h45, g]);
        assert_eq!(frontier.root(), node_hash(h03, h46));
        assert_eq!(inclusion_proof(4, 7, &mut nodes).unwrap(), [f, g, h03]);
        // RFC 6962 §2.1.3 has these as its examples, under other names.
        assert_eq!(inclusion_proof(0, 7, &mut nodes).unwrap(), [b, h23, h46]);
        assert_eq!(inclusion_proof(3, 7, &mut nodes).unwrap(), [c, h01, h46]);
        assert_eq!(inclusion_proof(6, 7, &mut nodes).unwrap(), [h45, h03]);
        assert_eq!(consistency_proof(3, 7, &mut nodes).unwrap(), [c, d, h01, h46]);
        assert_eq!(consistency_proof(4, 7, &mut nodes).unwrap(), [h46]);
        assert_eq!(consistency_proof(6, 7, &mut nodes).unwrap(), [h45, g, h03]);
    }

    #[test]
    fn every_proof_of_every_small_tree_verifies_and_no_other_position_does() {
        let leaves = leaves(40);
        let (_, mut nodes) = grow(&leaves);
        for size in 1..=40_u64 {
            let root = mth(&leaves[..usize::try_from(size).unwrap()]);
            for index in 0..size {
                let proof = inclusion_proof(index, size, &mut nodes).unwrap();
                for claimed in 0..size + 2 {
                    let leaf = leaves[usize::try_from(index).unwrap()];
                    let got = verify_inclusion(&proof, claimed, leaf, size, root);
                    assert_eq!(got.is_ok(), claimed == index, "{index} as {claimed} of {size}");
                }
            }
            for old in 0..=size {
                let proof = consistency_proof(old, size, &mut nodes).unwrap();
                let old_root = mth(&leaves[..usize::try_from(old).unwrap()]);
                assert_eq!(verify_consistency(&proof, old, old_root, size, root), Ok(()), "{old} in {size}");
                if old > 0 {
                    let other = leaf_hash(b"another history");
                    assert_eq!(verify_consistency(&proof, old, other, size, root), Err(InvalidProof));
                }
            }
        }
    }

    #[test]
    fn what_is_outside_the_tree_is_refused() {
        let (frontier, mut nodes) = grow(&leaves(5));
        let out = |index, size| Err(ProveError::OutOfRange { index, size });
        assert_eq!(inclusion_proof(5, 5, &mut nodes), out(5, 5));
        assert_eq!(inclusion_proof(0, 0, &mut nodes), out(0, 0));
        assert_eq!(inclusion_proof(0, u64::MAX, &mut nodes), out(0, u64::MAX));
        assert_eq!(consistency_proof(6, 5, &mut nodes), out(6, 5));
        let missing = Node { level: 2, index: 1 };
        assert_eq!(inclusion_proof(0, 8, &mut nodes), Err(ProveError::Read(MissingNode(missing))));
        assert_eq!(verify_consistency(&[], 6, EMPTY_ROOT, 5, EMPTY_ROOT), Err(InvalidProof));
        assert_eq!(Frontier::from_parts(5, frontier.edge().to_vec()), Some(frontier.clone()));
        assert_eq!(Frontier::from_parts(7, frontier.edge().to_vec()), None);
        assert_eq!(Frontier::read(5, &mut nodes), Ok(frontier));
    }

    proptest! {
        #[test]
        fn a_proof_with_any_bit_changed_is_refused(
            size in 2..200_u8, pick in any::<u64>(), byte in any::<usize>(), bit in 0..8_u8,
        ) {
            let leaves = leaves(size);
            let size = u64::from(size);
            let (frontier, mut nodes) = grow(&leaves);
            let (index, old) = (pick % size, 1 + pick % (size - 1));
            let old_root = mth(&leaves[..usize::try_from(old).unwrap()]);
            let leaf = leaves[usize::try_from(index).unwrap()];
            let flip = |mut proof: Vec<Hash>| {
                let at = byte % (proof.len() * Hash::LEN);
                proof[at / Hash::LEN].0[at % Hash::LEN] ^= 1 << bit;
                proof
            };
            let inclusion = flip(inclusion_proof(index, size, &mut nodes).unwrap());
            prop_assert_eq!(verify_inclusion(&inclusion, index, leaf, size, frontier.root()), Err(InvalidProof));
            let growth = flip(consistency_proof(old, size, &mut nodes).unwrap());
            prop_assert_eq!(verify_consistency(&growth, old, old_root, size, frontier.root()), Err(InvalidProof));
        }

        #[test]
        fn any_proof_is_checked_without_a_panic(
            bytes in prop::collection::vec(any::<[u8; 32]>(), 0..70), a in any::<u64>(), b in any::<u64>(),
        ) {
            let proof: Vec<Hash> = bytes.into_iter().map(Hash).collect();
            prop_assert_eq!(verify_inclusion(&proof, a, EMPTY_ROOT, b, EMPTY_ROOT), Err(InvalidProof));
            if a != 0 && a != b {
                prop_assert_eq!(verify_consistency(&proof, a, EMPTY_ROOT, b, EMPTY_ROOT), Err(InvalidProof));
            }
        }
    }
}
