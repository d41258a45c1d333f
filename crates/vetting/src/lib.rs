//! From ties to facts, from facts to a decision with its proof.
