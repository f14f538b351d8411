//! The operators' programs from outside, over two embedded engines that are driven as Marathons are.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod audit;
mod balancers;
mod checks;
mod cleanup;
mod drain;
mod leader;
mod listing;
mod tasks;
mod world;

/// HAProxy as `paasta-smartstack` is tested with it.
#[path = "../../../paasta-smartstack/tests/haproxy/server.rs"]
#[allow(dead_code, clippy::disallowed_methods)]
mod haproxy;
