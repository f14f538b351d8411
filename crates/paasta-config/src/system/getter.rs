//! Getters of one shape, so that a key is a line: its meaning, its name, its type, its default.

use std::sync::LazyLock;

use super::{SystemConfig, SystemError};
use crate::Map;

/// A setting, or why it cannot be had.
pub(super) type Read<T> = Result<T, SystemError>;

/// Key, type and default; null is of the wrong type.
macro_rules! getters {
    ($($(#[$doc:meta])* $name:ident: $take:ident or $default:expr => $type:ty;)*) => {
        impl SystemConfig {
            $(
                $(#[$doc])*
                pub fn $name(&self) -> Read<$type> {
                    Ok(self.scope().$take(stringify!($name))?.map_or($default, Into::into))
                }
            )*
        }
    };
}

/// Texts that may be missing or null.
macro_rules! optional_texts {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        impl SystemConfig {
            $(
                $(#[$doc])*
                pub fn $name(&self) -> Read<Option<String>> {
                    self.text(stringify!($name))
                }
            )*
        }
    };
}

/// Maps as written, empty if unset or null.
macro_rules! maps {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        impl SystemConfig {
            $(
                $(#[$doc])*
                pub fn $name(&self) -> Read<&Map> {
                    self.map_or_empty(stringify!($name))
                }
            )*
        }
    };
}

pub(super) use {getters, maps, optional_texts};

static EMPTY: LazyLock<Map> = LazyLock::new(Map::new);

impl SystemConfig {
    pub(super) fn map_or_empty(&self, key: &str) -> Read<&Map> {
        Ok(self.scope().map_or_null(key)?.unwrap_or(&EMPTY))
    }
}
