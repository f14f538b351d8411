//! Ids that programs make.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::names::{InstanceName, NameError, ServiceName};

/// One instance of one service: `<service>.<instance>`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstanceId {
    service: ServiceName,
    instance: InstanceName,
}

impl InstanceId {
    /// The instance `instance` of `service`.
    pub fn new(service: ServiceName, instance: InstanceName) -> Self {
        Self { service, instance }
    }

    /// The service.
    pub fn service(&self) -> &ServiceName {
        &self.service
    }

    /// The instance's own name.
    pub fn instance(&self) -> &InstanceName {
        &self.instance
    }

    /// `<service>.<instance>` with every `_` written `--`, as app ids and lock paths begin
    /// (marathon-and-bounce.md §1.13).
    pub fn short_id(&self) -> String {
        format!("{}.{}", mangle(self.service.as_str()), mangle(self.instance.as_str()))
    }
}

/// `_` is not allowed in Marathon's ids; `--` stands for it.
fn mangle(part: &str) -> String {
    part.replace('_', "--")
}

/// What follows `part`, mangled, at the beginning of `text`; none if that begins otherwise.
fn without_mangled<'a>(text: &'a str, part: &str) -> Option<&'a str> {
    let mut pieces = part.split('_');
    let begin = text.strip_prefix(pieces.next()?)?;
    pieces.try_fold(begin, |rest, piece| rest.strip_prefix("--")?.strip_prefix(piece))
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.service, self.instance)
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for InstanceId {
    type Err = NameError;

    /// Takes `<service>.<instance>`, or an app id of four parts whose last two are ignored
    /// (marathon-and-bounce.md §5.1).
    fn from_str(value: &str) -> Result<Self, NameError> {
        let parts: Vec<&str> = value.split('.').collect();
        match parts[..] {
            [service, instance] | [service, instance, _, _]
                if !service.is_empty() && !instance.is_empty() =>
            {
                Ok(Self { service: ServiceName::new(service)?, instance: InstanceName::new(instance)? })
            }
            _ => Err(NameError {
                kind: "an instance",
                value: value.to_owned(),
                reason: "it is not `<service>.<instance>`",
            }),
        }
    }
}

impl TryFrom<String> for InstanceId {
    type Error = NameError;

    fn try_from(value: String) -> Result<Self, NameError> {
        value.parse()
    }
}

impl From<InstanceId> for String {
    fn from(id: InstanceId) -> String {
        id.to_string()
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The text as given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// One version of an instance on an engine: `<service>.<instance>.<code sha>.<config hash>`, mangled, without
    /// a leading slash.
    AppId
);
id!(
    /// One running copy, by the engine's own id.
    TaskId
);
id!(
    /// A place below one engine where apps live, such as one Marathon server; stable while the place is the same.
    HomeId
);

impl AppId {
    /// Takes an id with or without the engine's leading slash.
    pub fn new(id: impl Into<String>) -> Self {
        let id = id.into();
        match id.strip_prefix('/') {
            Some(rest) => Self(rest.to_owned()),
            None => Self(id),
        }
    }

    /// Whether this is a version of `instance` (marathon-and-bounce.md §1.13: the id starts with the short id
    /// and a dot).
    pub fn belongs_to(&self, instance: &InstanceId) -> bool {
        // Asked of every app for every instance, so nothing is built for it.
        let service = without_mangled(&self.0, instance.service.as_str());
        let instance =
            service.and_then(|rest| without_mangled(rest.strip_prefix('.')?, instance.instance.as_str()));
        instance.is_some_and(|rest| rest.starts_with('.'))
    }

    /// Whether this has the form of the ids that PaaSTA makes: four parts, `git…` the third and `config…` the fourth. Others
    /// are somebody else's, or not made by us.
    ///
    /// ```
    /// use paasta_core::AppId;
    ///
    /// assert!(AppId::new("/svc.main.gita.configb").has_our_form());
    /// assert!(!AppId::new("/cron.job").has_our_form());
    /// ```
    pub fn has_our_form(&self) -> bool {
        let parts: Vec<&str> = self.0.split('.').collect();
        matches!(parts[..], [service, instance, code, config]
            if !service.is_empty() && !instance.is_empty() && code.starts_with("git") && config.starts_with("config"))
    }

    /// The first two parts: the short id of the instance.
    pub fn short_id(&self) -> &str {
        match self.0.match_indices('.').nth(1) {
            Some((end, _)) => &self.0[..end],
            None => &self.0,
        }
    }
}

impl TaskId {
    /// Takes the engine's id as it is.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }
}

impl HomeId {
    /// Takes any text that is the same whenever the place is.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn belonging_needs_the_dot() {
        let id: InstanceId = "svc.main".parse().expect("an id");
        assert!(AppId::new("/svc.main.gita.configb").belongs_to(&id));
        assert!(AppId::new("svc.main.gita.configb").belongs_to(&id));
        assert!(!AppId::new("/svc.main2.gita.configb").belongs_to(&id));
        assert!(!AppId::new("/svc.main").belongs_to(&id));
        assert_eq!(AppId::new("/svc.main.gita.configb").short_id(), "svc.main");
        let id: InstanceId = "my_svc_.can_ary".parse().expect("an id");
        assert!(AppId::new("my--svc--.can--ary.gita.configb").belongs_to(&id));
        assert!(!AppId::new("my_svc_.can_ary.gita.configb").belongs_to(&id));
        assert!(!AppId::new("my--svc.can--ary.gita.configb").belongs_to(&id));
    }

    #[test]
    fn instance_ids_take_two_or_four_parts() {
        assert_eq!("a.b".parse::<InstanceId>().expect("two").to_string(), "a.b");
        assert_eq!("a.b.git1.config2".parse::<InstanceId>().expect("four").to_string(), "a.b");
        for bad in ["a", "a.b.c", "a.b.c.d.e", ".", "a."] {
            assert!(bad.parse::<InstanceId>().is_err(), "{bad}");
        }
    }
}
