//! Arithmetic on numbered nodes.
