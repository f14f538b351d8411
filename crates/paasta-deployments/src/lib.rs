//! Git refs to deployments.json and back.
