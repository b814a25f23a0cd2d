//! What only these tests need.
