//! Locks and counts: kazoo-compatible on ZooKeeper (to come), or on local files for one machine.
