//! Names that look alike: Ratcliff and Obershelp's ratio, as the original suggests by (config.md §1.5).

/// Names longer than this are not compared.
const NAME_CHARACTERS_MAX: usize = 200;

/// Up to three of `names` that are close to `word`, closest first.
///
/// ```
/// assert_eq!(paasta_config::close_matches("mian", ["main", "canary", "mine"]), ["mine", "main"]);
/// ```
pub fn close_matches<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    const CLOSE_MAX: usize = 3;
    const RATIO_MIN: f64 = 0.6;
    let word: Vec<char> = word.chars().collect();
    if word.len() > NAME_CHARACTERS_MAX {
        return Vec::new();
    }
    let mut close: Vec<(f64, &str)> = names
        .into_iter()
        .map(|name| (ratio(&name.chars().collect::<Vec<_>>(), &word), name))
        .filter(|(ratio, _)| *ratio >= RATIO_MIN)
        .collect();
    close.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| b.1.cmp(a.1)));
    close.dedup();
    close.into_iter().take(CLOSE_MAX).map(|(_, name)| name.to_owned()).collect()
}

/// Twice the characters in common, by all characters.
fn ratio(a: &[char], b: &[char]) -> f64 {
    if a.len() > NAME_CHARACTERS_MAX {
        return 0.0;
    }
    match a.len() + b.len() {
        0 => 1.0,
        total => 2.0 * common(a, b) as f64 / total as f64,
    }
}

/// Length of the longest common run, plus what is common left and right of it.
fn common(a: &[char], b: &[char]) -> usize {
    let (mut best, mut at_a, mut at_b) = (0, 0, 0);
    for i in 0..a.len() {
        for j in 0..b.len() {
            let run = a[i..].iter().zip(&b[j..]).take_while(|(x, y)| x == y).count();
            if run > best {
                (best, at_a, at_b) = (run, i, j);
            }
        }
    }
    if best == 0 {
        return 0;
    }
    best + common(&a[..at_a], &b[..at_b]) + common(&a[at_a + best..], &b[at_b + best..])
}
