//! The engine over Marathon: rendering, identity, client, shards and events.
