//! Names that look alike: Ratcliff and Obershelp's ratio, as the original suggests by (config.md §1.5).

/// Names longer than this are not compared.
const NAME_CHARACTERS_MAX: usize = 200;

/// How close is close.
const RATIO_MIN: f64 = 0.6;

/// Up to three of `names` that are close to `word`, closest first.
///
/// ```
/// assert_eq!(paasta_config::close_matches("mian", ["main", "canary", "mine"]), ["mine", "main"]);
/// ```
pub fn close_matches<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    const CLOSE_MAX: usize = 3;
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
    let share = |in_common: usize| 2.0 * in_common as f64 / (a.len() + b.len()) as f64;
    // Cheaper than the runs, and never less than they come to.
    match a.len() + b.len() {
        0 => 1.0,
        _ if share(a.len().min(b.len())) < RATIO_MIN || share(shared(a, b)) < RATIO_MIN => 0.0,
        _ => share(common(a, b)),
    }
}

/// How many characters both have, wherever they stand; those beyond Latin-1 share their places in the count.
fn shared(a: &[char], b: &[char]) -> usize {
    let mut counts = [0_usize; 256];
    let place = |c: &char| (u32::from(*c) & 0xFF) as usize;
    a.iter().for_each(|c| counts[place(c)] += 1);
    let mut taken = 0;
    for c in b {
        let count = &mut counts[place(c)];
        if *count > 0 {
            (*count, taken) = (*count - 1, taken + 1);
        }
    }
    taken
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What is left out early would not have been close.
        #[test]
        fn the_bound_hides_nothing(a in "[a-d\u{e4}\u{1e4}]{0,8}", b in "[a-d\u{e4}\u{1e4}]{0,8}") {
            let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            prop_assert!(common(&a, &b) <= shared(&a, &b));
        }
    }
}
