//! Keeps every instance of a cluster converged.
