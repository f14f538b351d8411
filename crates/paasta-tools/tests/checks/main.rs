//! The programs that check something, from outside: against servers that play back answers, and against a real HAProxy.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod balancers;
mod drills;
mod events;
mod golden;
mod mesos;
mod orphans;
mod server;
mod small;
mod world;

/// HAProxy as `paasta-smartstack` is tested with it.
#[path = "../../../paasta-smartstack/tests/haproxy/server.rs"]
#[allow(dead_code, clippy::disallowed_methods)]
mod haproxy;
