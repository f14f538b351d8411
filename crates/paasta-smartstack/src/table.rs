//! HAProxy's table of statistics: CSV whose columns have names (monitoring.md §4.3).

use crate::{Backend, BackendState, Backends, ServerName};

/// So much of what was found instead is shown.
const SHOWN_CHARS_MAX: usize = 60;
/// HAProxy has about a hundred columns.
const COLUMNS_MAX: usize = 1024;
/// Some times as many as the largest clusters have.
const SERVERS_MAX: usize = 300_000;

/// Why bytes are no table of HAProxy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// The first line names no columns.
    #[error(
        "its first line is `{found}`: expected the column names of HAProxy's statistics, which begin with `# pxname,svname`"
    )]
    NoHeader {
        /// The beginning of what is there.
        found: String,
    },
    /// A column that is needed is not there.
    #[error("it has no column `{column}`")]
    NoColumn {
        /// The column.
        column: &'static str,
    },
    /// A row ends early.
    #[error("line {line} ends after {found} of {expected} columns: the answer was cut off")]
    Cut {
        /// Which line, from 1.
        line: usize,
        /// Columns found.
        found: usize,
        /// Columns named in the first line.
        expected: usize,
    },
    /// A `"` is never closed.
    #[error("line {line} has a `\"` that is never closed: the answer was cut off")]
    Quote {
        /// Which line, from 1.
        line: usize,
    },
    /// A row has no end, or as good as none.
    #[error("line {line} has more than {columns_max} columns")]
    Wide {
        /// Which line, from 1.
        line: usize,
        /// Columns that are read at most.
        columns_max: usize,
    },
    /// Nobody has so many servers.
    #[error("it has more than {servers_max} servers")]
    Long {
        /// Servers that are read at most.
        servers_max: usize,
    },
}

/// Reads a table. Columns are found by their names, in any order; those that are not known are passed over, and rows of
/// frontends and backends are left out. Servers of a proxy without any are none, which is not an error.
///
/// ```
/// let table = b"# pxname,svname,status,\n\
///               web.main,FRONTEND,OPEN,\n\
///               web.main,h1_10.0.0.1:31000,UP,\n\
///               web.main,h2_10.0.0.2:31000,UP 1/2,\n\
///               web.main,h3_10.0.0.3:31000,MAINT,\n";
/// let backends = paasta_smartstack::read_table(table)?;
/// assert_eq!(backends.of("web.main").len(), 3);
/// assert_eq!(backends.up("web.main"), 2);
/// # Ok::<(), paasta_smartstack::TableError>(())
/// ```
pub fn read_table(bytes: &[u8]) -> Result<Backends, TableError> {
    let text = String::from_utf8_lossy(bytes);
    let mut records = Records { rest: &text, line: 0 };
    let header = records.next().transpose()?.unwrap_or_default();
    let columns = Columns::of(&header)?;
    let mut backends = Vec::new();
    for record in records {
        let record = record?;
        if record.fields.iter().all(|field| field.is_empty()) {
            continue;
        }
        columns.check(&record)?;
        backends.extend(columns.backend(&record.fields));
        if backends.len() > SERVERS_MAX {
            return Err(TableError::Long { servers_max: SERVERS_MAX });
        }
    }
    Ok(backends.into_iter().collect())
}

/// Where the columns are that we look at.
struct Columns {
    /// With the nameless one after the comma that ends a line.
    count: usize,
    proxy: usize,
    server: usize,
    status: usize,
    check_status: Option<usize>,
    check_code: Option<usize>,
    check_duration: Option<usize>,
    last_change: Option<usize>,
    weight: Option<usize>,
}

impl Columns {
    fn of(header: &Record) -> Result<Self, TableError> {
        let mut names: Vec<&str> = header.fields.iter().map(|name| name.trim()).collect();
        if let Some(first) = names.first_mut() {
            *first = first.trim_start_matches('#').trim();
        }
        let at = |column: &str| names.iter().position(|name| *name == column);
        if at("pxname").is_none() && at("svname").is_none() {
            let found: String = header.fields.join(",").chars().take(SHOWN_CHARS_MAX).collect();
            return Err(TableError::NoHeader { found });
        }
        let needed = |column| at(column).ok_or(TableError::NoColumn { column });
        Ok(Self {
            count: names.len(),
            proxy: needed("pxname")?,
            server: needed("svname")?,
            status: needed("status")?,
            check_status: at("check_status"),
            check_code: at("check_code"),
            check_duration: at("check_duration"),
            last_change: at("lastchg"),
            weight: at("weight"),
        })
    }

    /// A row may lack columns at its end that nobody needs, as long as it ends as a line does.
    fn check(&self, record: &Record) -> Result<(), TableError> {
        let needed = self.proxy.max(self.server).max(self.status) + 1;
        let least = if record.is_ended { needed } else { self.count };
        if record.fields.len() >= least {
            return Ok(());
        }
        Err(TableError::Cut { line: record.line, found: record.fields.len(), expected: self.count })
    }

    fn backend(&self, fields: &[String]) -> Option<Backend> {
        let field =
            |at: Option<usize>| at.and_then(|at| fields.get(at)).map(String::as_str).unwrap_or_default();
        let server = field(Some(self.server));
        if matches!(server, "FRONTEND" | "BACKEND") {
            return None;
        }
        let name = ServerName::parse(server);
        let status = field(Some(self.status));
        Some(Backend {
            registration: field(Some(self.proxy)).to_owned(),
            server: server.to_owned(),
            host: name.host.map(str::to_owned),
            address: name.address,
            state: BackendState::of_haproxy(status),
            status: status.to_owned(),
            check_status: field(self.check_status).to_owned(),
            check_code: field(self.check_code).to_owned(),
            check_duration_ms: field(self.check_duration).parse().ok(),
            last_change_seconds: field(self.last_change).parse().ok(),
            weight: field(self.weight).parse().ok(),
        })
    }
}

/// One line, or more where a quoted field holds the end of one.
#[derive(Debug, Default)]
struct Record {
    /// The line it begins at, from 1.
    line: usize,
    fields: Vec<String>,
    /// Whether the end of a line ended it, not that of the answer.
    is_ended: bool,
}

struct Records<'a> {
    rest: &'a str,
    line: usize,
}

impl Iterator for Records<'_> {
    type Item = Result<Record, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let line = self.line + 1;
        let mut fields = Vec::new();
        loop {
            let Some((field, rest)) = self.field() else {
                self.rest = "";
                return Some(Err(TableError::Quote { line }));
            };
            fields.push(field);
            if fields.len() > COLUMNS_MAX {
                self.rest = "";
                return Some(Err(TableError::Wide { line, columns_max: COLUMNS_MAX }));
            }
            self.rest = rest;
            if let Some(rest) = rest.strip_prefix(',') {
                self.rest = rest;
                continue;
            }
            self.line += 1;
            let ended = rest.strip_prefix('\n');
            self.rest = ended.unwrap_or(rest);
            return Some(Ok(Record { line, fields, is_ended: ended.is_some() }));
        }
    }
}

impl<'a> Records<'a> {
    /// A field and what follows it, which is a comma, the end of the line or of everything; none where a quote is never
    /// closed. What follows a closing quote still belongs to the field.
    fn field(&mut self) -> Option<(String, &'a str)> {
        let mut field = String::new();
        let mut rest = self.rest;
        if let Some(mut quoted) = rest.strip_prefix('"') {
            loop {
                let (part, after) = quoted.split_once('"')?;
                self.line += part.matches('\n').count();
                field.push_str(part);
                match after.strip_prefix('"') {
                    Some(after) => {
                        field.push('"');
                        quoted = after;
                    }
                    None => {
                        rest = after;
                        break;
                    }
                }
            }
        }
        let end = rest.find([',', '\n']).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        field.push_str(part.strip_suffix('\r').filter(|_| after.starts_with('\n')).unwrap_or(part));
        Some((field, after))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_rows_of_the_specification() {
        let table = "# pxname,svname,status,\nweb.main,h1_10.0.0.1:1,UP,\nweb.main,h2_10.0.0.2:1,UP 1/2,\n\
                     web.main,h3_10.0.0.3:1,MAINT,\nweb.main,h4_10.0.0.4:1,DOWN,\nweb.other,h5_10.0.0.5:1,no check,\n";
        let backends = read_table(table.as_bytes()).unwrap();
        assert_eq!(backends.up("web.main"), 2);
        assert_eq!((backends.up("web.other"), backends.of("web.other").len()), (0, 1));
        assert_eq!(backends.all_up(), [("web.main", 2)].into());
        let states: Vec<_> = backends.of("web.main").iter().map(|b| b.state).collect();
        use BackendState::{Down, Maintenance, Up};
        assert_eq!(states, [Up, Up, Maintenance, Down]);
    }

    #[test]
    fn columns_are_found_by_their_names() {
        let table = "#status , x,lastchg,svname,pxname,check_duration,check_code,check_status,weight\r\n\
                     UP,?,7,10.0.0.1:1_h_1,web.main,3,200,L7OK,100\r\n\r\n";
        let backends = read_table(table.as_bytes()).unwrap();
        let [backend] = backends.of("web.main") else { panic!("{backends:?}") };
        assert_eq!(backend.host.as_deref(), Some("h_1"));
        assert_eq!((backend.last_change_seconds, backend.check_duration_ms), (Some(7), Some(3)));
        assert_eq!((backend.check_status.as_str(), backend.check_code.as_str()), ("L7OK", "200"));
        assert_eq!(backend.weight, Some(100));
    }

    #[test]
    fn commas_quotes_and_line_ends_in_a_field() {
        let table =
            "# pxname,svname,last_chk,status,\na.b,h_10.0.0.1:1,\"no, \"\"never\"\"\nagain\",UP,\na.b,x\n";
        let error = read_table(table.as_bytes()).unwrap_err();
        assert_eq!(error, TableError::Cut { line: 4, found: 2, expected: 5 });
        let backends = read_table(&table.as_bytes()[..table.len() - 6]).unwrap();
        assert_eq!(backends.up("a.b"), 1);
        let error = read_table(b"pxname,svname,status\na,\"b").unwrap_err();
        assert_eq!(error, TableError::Quote { line: 2 });
    }

    #[test]
    fn what_is_no_table_says_so() {
        for (bytes, message) in [
            (&b""[..], "its first line is ``: expected"),
            (b"<html><body>, hello", "its first line is `<html><body>, hello`: expected"),
            (b"# pxname,svname,\n", "it has no column `status`"),
            (b"# pxname,status,\n", "it has no column `svname`"),
            (b"# pxname,svname,status,weight,\na,b,UP,1", "line 2 ends after 4 of 5 columns"),
        ] {
            let error = read_table(bytes).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
        assert_eq!(read_table(b"# pxname,svname,status,\n").unwrap(), Backends::default());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = read_table(&bytes);
        }

        #[test]
        fn no_rows_make_it_panic(rows in "[ab_,:.\"0-9UP\\r\\n]{0,200}") {
            let _ = read_table(format!("# pxname,svname,status,lastchg,\n{rows}").as_bytes());
        }

        #[test]
        fn a_table_that_is_cut_anywhere_counts_no_server_wrongly(cut in 0usize..140) {
            let table = "# pxname,svname,weight,status,last_chk,\nw.m,h1_10.0.0.1:1,1,UP,fine,\nw.m,h2_10.0.0.2:1,1,UP 1/2,\"a,b\",\n";
            let cut = cut.min(table.len());
            let whole_lines = table[..cut].matches('\n').count();
            if let Ok(backends) = read_table(&table.as_bytes()[..cut]) {
                let known = backends.of("w.m").len();
                let is_whole = cut == table.len() || table[cut..].starts_with('\n');
                prop_assert_eq!(known, whole_lines.saturating_sub(1) + usize::from(is_whole && !table[..cut].ends_with('\n') && whole_lines > 0));
            }
        }
    }
}
