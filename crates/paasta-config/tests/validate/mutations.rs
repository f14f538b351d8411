//! Files with something changed at random: whatever stands there is told, and nothing breaks.

use std::sync::Arc;

use paasta_config::{KnownNames, Memory, Severity, Soa, SystemConfig};
use proptest::prelude::*;

use super::golden::cases;

const PIECES: [&str; 24] = [
    "\t",
    "\n",
    "  ",
    ": ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "'",
    "\"",
    "&a ",
    "*a",
    "<<: ",
    "!!x ",
    "---\n",
    "null",
    "yes",
    "1e3",
    "é",
    "\u{0}",
    "main:",
    "deploy_group: \"{",
    "_",
];

fn changed(text: &str, changes: &[(usize, usize, usize)]) -> String {
    let mut text = text.to_owned();
    for (place, removed, piece) in changes {
        let characters: Vec<char> = text.chars().collect();
        let from = place % (characters.len() + 1);
        let to = (from + removed % 8).min(characters.len());
        let before = characters.iter().take(from);
        let after = characters.iter().skip(to);
        text = before
            .chain(PIECES[piece % PIECES.len()].chars().collect::<Vec<_>>().iter())
            .chain(after)
            .collect();
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn anything_is_validated_and_told(
        case in any::<prop::sample::Index>(),
        file in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<usize>(), any::<usize>(), any::<usize>()), 1..4),
    ) {
        let cases = cases();
        let files = case.get(&cases)["files"].as_object().unwrap();
        prop_assume!(!files.is_empty());
        let mut tree = Memory::new().with("svc/notes.yaml", "");
        for (index, (name, text)) in files.iter().enumerate() {
            let text = text.as_str().unwrap();
            let is_it = index == file.index(files.len());
            let text = if is_it { changed(text, &changes) } else { text.to_owned() };
            tree.insert(format!("svc/{}", name.trim_start_matches("../")), text);
        }
        let system = SystemConfig::from_json(r#"{"clusters": ["norcal-devc", "westcoast-prod"]}"#).unwrap();
        let known = KnownNames { teams: Some(&["x"]), ..super::KNOWN };
        let soa = Soa::new(Arc::new(tree));
        let findings = soa.validate(&"svc".parse().unwrap(), &system, &known);
        for finding in &findings {
            prop_assert!(finding.hint.ends_with(['.', '?']) && !finding.message.is_empty(), "{finding:?}");
            prop_assert!(finding.line.is_none() == finding.column.is_none() && finding.line != Some(0), "{finding:?}");
        }
        // Strictly, all of it is told again, as errors.
        let strictly = soa.validate_strictly(&"svc".parse().unwrap(), &system, &known);
        prop_assert!(strictly.len() >= findings.len());
        prop_assert!(strictly.iter().all(|finding| finding.severity == Severity::Error));
    }
}
