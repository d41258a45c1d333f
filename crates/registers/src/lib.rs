//! Public registers and lists, read into statements about ties.
