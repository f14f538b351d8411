//! What this host is called.

use std::fs;

/// The fully qualified name of this host, as far as its own files tell it: no name server is asked, as that may take
/// long where it matters least.
pub fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
    qualified(name.trim(), &hosts)
}

fn qualified(name: &str, hosts: &str) -> String {
    if name.is_empty() {
        return "localhost".to_owned();
    }
    if name.contains('.') {
        return name.to_owned();
    }
    let line = |line: &str| -> Vec<String> {
        let names = line.split('#').next().unwrap_or_default().split_whitespace().skip(1);
        names.map(str::to_owned).collect()
    };
    let prefix = format!("{name}.");
    let own = hosts.lines().map(line).find(|names| names.iter().any(|other| other == name));
    own.and_then(|names| names.into_iter().find(|other| other.starts_with(&prefix)))
        .unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_full_name_stands_in_the_hosts_file() {
        let hosts =
            "127.0.0.1 localhost\n10.0.0.1\tone.example.org one # one two.example.org\n10.0.0.2 two\n";
        assert_eq!(qualified("one", hosts), "one.example.org");
        assert_eq!(qualified("two", hosts), "two");
        assert_eq!(qualified("three.example.org", hosts), "three.example.org");
        assert_eq!(qualified("", hosts), "localhost");
    }
}
