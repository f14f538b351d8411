//! Against a real ZooKeeper, with kazoo on the other side.

#![expect(clippy::disallowed_methods, reason = "a test's own surroundings")]

mod counts;
mod election;
mod kazoo;
mod locks;
mod network;
mod nodes;
mod outages;
mod place;
mod proxy;
mod queue;
mod server;
