//! Builders and fakes for tests: soa directories, recording and faulty engines, a simulated clock.
