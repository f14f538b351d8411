//! What a running HAProxy says of its servers.

use std::collections::BTreeMap;

/// A server as HAProxy has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveServer {
    /// It was taken out by hand, and gets no new traffic.
    pub in_maintenance: bool,
}

/// Every server of a running HAProxy, by registration and name.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Live(pub BTreeMap<String, BTreeMap<String, LiveServer>>);

/// Administratively in maintenance by command: bit 0 of `srv_admin_state`.
const FORCED_MAINTENANCE: u32 = 1;

impl Live {
    /// Reads the answer to `show servers state`, whose first line is a version and whose second names the columns. `None` if
    /// it is none.
    ///
    /// ```
    /// use paasta_smartstack::proxy::Live;
    ///
    /// let text = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state\n\
    ///             4 web.main 1 h1_10.0.0.1:31001 10.0.0.1 2 0\n";
    /// let live = Live::parse(text).expect("it is an answer");
    /// assert!(!live.0["web.main"]["h1_10.0.0.1:31001"].in_maintenance);
    /// assert_eq!(Live::parse("Unknown command."), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        let version = lines.next()?;
        if version.trim().parse::<u32>().is_err() {
            return None;
        }
        let header: Vec<&str> = lines.next()?.strip_prefix('#')?.split_whitespace().collect();
        let column = |name: &str| header.iter().position(|column| *column == name);
        let (backend, server, admin) = (column("be_name")?, column("srv_name")?, column("srv_admin_state")?);
        let mut live = Self::default();
        for line in lines {
            let cells: Vec<&str> = line.split_whitespace().collect();
            let state: u32 = cells.get(admin)?.parse().ok()?;
            let of = live.0.entry((*cells.get(backend)?).to_owned()).or_default();
            let in_maintenance = state & FORCED_MAINTENANCE != 0;
            of.insert((*cells.get(server)?).to_owned(), LiveServer { in_maintenance });
        }
        Some(live)
    }
}
