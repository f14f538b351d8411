//! What holds for every line of the table.
