//! Private clusters for tests.
