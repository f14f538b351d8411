//! Who changes things, and from where.

use std::ffi::OsString;
use std::fs;

use crate::host_name::host_name;

/// Who answers for what a process does, in audit lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The name of the user.
    pub user: String,
    /// The name of the machine, fully qualified where its own files tell that.
    pub host: String,
}

impl Actor {
    /// Whoever runs this process: `$SUDO_USER`, else `$LOGNAME`, else `$USER`, else the name that goes with the user id, else
    /// the id. `variable` looks into the environment.
    ///
    /// ```
    /// let actor = paasta_logs::Actor::of_this_process(|name| (name == "SUDO_USER").then(|| "bob".into()));
    /// assert_eq!(actor.user, "bob");
    /// ```
    pub fn of_this_process(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let user = ["SUDO_USER", "LOGNAME", "USER"].into_iter().find_map(set);
        let user = user.map(|user| user.to_string_lossy().into_owned()).unwrap_or_else(login_name);
        Self { user, host: host_name() }
    }
}

/// The name of the real user in `/etc/passwd`, else their number.
fn login_name() -> String {
    let id = rustix::process::getuid().as_raw().to_string();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut lines = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let own = lines.find(|fields| fields.get(2) == Some(&id.as_str()));
    own.and_then(|fields| fields.first().map(|&name| name.to_owned())).unwrap_or(id)
}
