//! `deny.toml`, as far as it can be held without a tool of its own: licences, banned crates, sources. `cargo deny check`
//! says more, of duplicates first of all.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::read;

pub(super) fn complaints(root: &Path) -> anyhow::Result<Vec<String>> {
    let deny = read(&root.join("deny.toml"))?;
    let rules = Rules::parse(&deny);
    ensure!(!rules.allowed.is_empty(), "deny.toml: `allow = […]` of [licenses] was not found");
    ensure!(!rules.banned.is_empty(), "deny.toml: `deny = […]` of [bans] was not found");
    let mut complaints = Vec::new();
    for lock in ["Cargo.lock", "fuzz/Cargo.lock"] {
        let told = of_lock(&read(&root.join(lock))?, &rules);
        complaints.extend(told.into_iter().map(|one| format!("{lock} {one}")));
    }
    complaints.extend(of_packages(&packages(root)?, &rules));
    Ok(complaints)
}

/// What is built here, with the licence of each.
fn packages(root: &Path) -> anyhow::Result<Vec<(String, Option<String>)>> {
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(root).output();
        let output = output.with_context(|| format!("could not start {program}"))?;
        ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(output.stdout)
    };
    // What other platforms need is not here to be read.
    let about = String::from_utf8(run("rustc", &["-vV"])?).context("could not read rustc's answer")?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    let arguments = ["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", host];
    let metadata: Value =
        serde_json::from_slice(&run(env!("CARGO"), &arguments)?).context("could not read cargo's answer")?;
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Ok(packages.iter().map(|one| (text(&one["name"]).unwrap_or_default(), text(&one["license"]))).collect())
}

/// What deny.toml says.
#[derive(Default)]
struct Rules<'a> {
    allowed: BTreeSet<&'a str>,
    banned: BTreeSet<&'a str>,
}

impl<'a> Rules<'a> {
    fn parse(deny: &'a str) -> Self {
        let mut rules = Rules::default();
        let (mut section, mut list) = ("", "");
        for line in deny.lines().filter(|line| !line.trim_start().starts_with('#')) {
            if line.starts_with('[') {
                section = line.trim();
            }
            if let Some((key, value)) = line.split_once('=').filter(|_| list.is_empty()) {
                list = if value.trim_start().starts_with('[') { key.trim() } else { "" };
            }
            // Every other piece stands between quotes.
            let quoted = line.split('"').skip(1).step_by(2);
            match (section, list) {
                ("[licenses]", "allow") => rules.allowed.extend(quoted),
                ("[bans]", "deny") => rules.banned.extend(quoted),
                _ => {}
            }
            if line.trim_end().ends_with(']') {
                list = "";
            }
        }
        rules
    }
}

/// Banned crates, and crates that come from elsewhere than all others.
fn of_lock(lock: &str, rules: &Rules<'_>) -> Vec<String> {
    let mut complaints = Vec::new();
    let (mut name, mut registries) = ("", BTreeSet::new());
    for line in lock.lines() {
        if let Some(text) = line.strip_prefix("name = ") {
            name = text.trim_matches('"');
            if rules.banned.contains(name) {
                complaints.push(format!("has {name}, which deny.toml bans"));
            }
        } else if let Some(source) = line.strip_prefix("source = ") {
            let source = source.trim_matches('"');
            if !source.starts_with("registry+") {
                complaints.push(format!("has {name} from {source}, which is no registry"));
            } else if registries.insert(source) && registries.len() > 1 {
                complaints.push(format!("has {name} from another registry than others"));
            }
        }
    }
    complaints
}

fn of_packages(packages: &[(String, Option<String>)], rules: &Rules<'_>) -> Vec<String> {
    let told = |(name, licence): &(String, Option<String>)| match licence {
        None => Some(format!("{name} names no licence")),
        Some(licence) => {
            let tokens = tokens(licence);
            let mut reader = Reader { tokens: &tokens, allowed: &rules.allowed };
            let is_allowed = reader.any().filter(|_| reader.tokens.is_empty());
            match is_allowed {
                Some(true) => None,
                Some(false) => {
                    Some(format!("{name} is licensed as `{licence}`, which deny.toml does not allow"))
                }
                None => Some(format!("{name} is licensed as `{licence}`, which cannot be read")),
            }
        }
    };
    packages.iter().filter_map(told).collect()
}

/// An SPDX expression in words. `/` stood for `OR` once.
fn tokens(licence: &str) -> Vec<String> {
    let spaced = licence.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut tokens: Vec<String> = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match (word, tokens.last_mut()) {
            // An exception belongs to its licence.
            ("WITH", Some(licence)) => {
                *licence = format!("{licence} WITH {}", words.next().unwrap_or_default());
            }
            _ => tokens.push(word.to_owned()),
        }
    }
    tokens
}

/// Whether an expression holds; `None` where it is none.
struct Reader<'a> {
    tokens: &'a [String],
    allowed: &'a BTreeSet<&'a str>,
}

impl Reader<'_> {
    fn any(&mut self) -> Option<bool> {
        let mut holds = self.all()?;
        while self.take("OR") {
            holds |= self.all()?;
        }
        Some(holds)
    }

    fn all(&mut self) -> Option<bool> {
        let mut holds = self.one()?;
        while self.take("AND") {
            holds &= self.one()?;
        }
        Some(holds)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let holds = self.any()?;
            return self.take(")").then_some(holds);
        }
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        let is_word = !matches!(first.as_str(), "AND" | "OR" | ")");
        is_word.then(|| self.allowed.contains(first.as_str()))
    }

    fn take(&mut self, word: &str) -> bool {
        match self.tokens.split_first() {
            Some((first, rest)) if first == word => {
                self.tokens = rest;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENY: &str = "[licenses]\n# \"GPL\" not\nallow = [\"MIT\", \"Apache-2.0\",\n  \"Zlib WITH x\"]\n[bans]\nmultiple-versions = \"warn\"\n\
                        deny = [\n    # Why.\n    { crate = \"bad\" },\n]\n[sources]\nunknown-git = \"deny\"\n";

    #[test]
    fn rules_are_read() {
        let rules = Rules::parse(DENY);
        assert_eq!(rules.allowed, BTreeSet::from(["MIT", "Apache-2.0", "Zlib WITH x"]));
        assert_eq!(rules.banned, BTreeSet::from(["bad"]));
    }

    #[test]
    fn licences() {
        let check = |licence: &str, told: &str| {
            let packages = [("p".to_owned(), Some(licence.to_owned()))];
            let complaints = of_packages(&packages, &Rules::parse(DENY));
            assert_eq!(complaints.is_empty(), told.is_empty(), "{licence}: {complaints:?}");
            assert!(complaints.iter().all(|one| one.contains(told)), "{licence}: {complaints:?}");
        };
        for good in [
            "MIT",
            "GPL-3.0 OR MIT",
            "GPL-3.0/MIT",
            "MIT AND Apache-2.0",
            "(GPL-3.0 OR MIT) AND MIT",
            "Zlib WITH x",
        ] {
            check(good, "");
        }
        for bad in
            ["GPL-3.0", "GPL-3.0 AND MIT", "MIT AND (GPL-3.0 OR Zlib)", "Zlib", "GPL-3.0 OR MIT AND Zlib"]
        {
            check(bad, "does not allow");
        }
        for garbled in ["", "MIT OR", "(MIT", "MIT MIT", "OR"] {
            check(garbled, "cannot be read");
        }
        assert_eq!(of_packages(&[("p".to_owned(), None)], &Rules::parse(DENY)), ["p names no licence"]);
    }

    #[test]
    fn sources_and_bans() {
        let package = |name: &str, source: &str| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\nsource = \"{source}\"\n\n")
        };
        let lock = package("a", "registry+one") + &package("b", "registry+one");
        assert_eq!(of_lock(&lock, &Rules::parse(DENY)), Vec::<String>::new());
        let lock = lock
            + &package("c", "git+https://x")
            + &package("d", "registry+two")
            + &package("bad", "registry+one");
        let complaints = of_lock(&lock, &Rules::parse(DENY));
        assert_eq!(
            complaints,
            [
                "has c from git+https://x, which is no registry",
                "has d from another registry than others",
                "has bad, which deny.toml bans"
            ]
        );
    }
}
