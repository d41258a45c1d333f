//! References: ids that name an object to the hub alone.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;

/// Rounds of the permutation; four make one that cannot be told from a random one (Luby and Rackoff, 1988).
const ROUNDS: [u8; 4] = [1, 2, 3, 4];

/// A permutation of UUIDs, under a key of one member's that only the hub knows.
///
/// A table would have to be written at every disclosure; a permutation needs nothing, and what it makes of an id that is none
/// of the hub's is the id of nothing.
pub(crate) struct References {
    key: [u8; 32],
}

impl References {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// The reference of an id.
    pub(crate) fn hide(&self, id: Uuid) -> Uuid {
        let (mut left, mut right) = id.as_u64_pair();
        for round in ROUNDS {
            (left, right) = (right, left ^ self.mixed(round, right));
        }
        Uuid::from_u64_pair(left, right)
    }

    /// The id behind a reference.
    pub(crate) fn show(&self, reference: Uuid) -> Uuid {
        let (mut left, mut right) = reference.as_u64_pair();
        for round in ROUNDS.into_iter().rev() {
            (left, right) = (right ^ self.mixed(round, left), left);
        }
        Uuid::from_u64_pair(left, right)
    }

    fn mixed(&self, round: u8, half: u64) -> u64 {
        let mut mac =
            <Hmac<Sha256> as Mac>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        mac.update(&[round]);
        mac.update(&half.to_le_bytes());
        let whole = mac.finalize().into_bytes();
        whole.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_reference_leads_back_to_its_id_for_its_member_alone(id: u128, key: [u8; 32]) {
            let (id, references) = (Uuid::from_u128(id), References::new(key));
            let hidden = references.hide(id);
            prop_assert_ne!(hidden, id);
            prop_assert_eq!(references.show(hidden), id);
            let mut other = key;
            other[0] ^= 1;
            prop_assert_ne!(References::new(other).show(hidden), id);
        }
    }
}
