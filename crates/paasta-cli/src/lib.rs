//! The paasta command.
