//! Is this the same company? Identifiers that decide, and names that propose.
