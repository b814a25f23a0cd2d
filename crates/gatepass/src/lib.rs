//! Access tokens from vendors' APIs: acquired once, kept fresh, never leaked.
