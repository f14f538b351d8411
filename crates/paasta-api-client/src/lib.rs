//! Types and client of the HTTP API of one cluster.
