//! A hacheck server: spool state and health of local services, with library and binary.
