//! Whole passes over simulated engines: worked examples, refusals, and what holds whatever goes wrong.

mod bounce_need;
mod drain_app;
mod drain_calls;
mod foresight;
mod history;
mod invariants;
mod refusals;
mod sim;
mod worked;
