//! Errors and URLs as they may be shown.

use std::error::Error;

/// An error with its causes on one line, outermost first. A cause that its error has told already is left out.
///
/// ```
/// let error = "x".parse::<i32>().unwrap_err();
/// assert_eq!(paasta_core::chain(&error), "invalid digit found in string");
/// ```
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

/// A URL without what stands before `@` in its authority: a name, a password, a token.
///
/// ```
/// assert_eq!(paasta_core::without_credentials("https://me:pass@example.com/a@b"), "https://example.com/a@b");
/// ```
pub fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Caused(&'static str, Option<Box<Caused>>);

    impl std::fmt::Display for Caused {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Caused {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    #[test]
    fn causes_come_once_and_in_order() {
        let cause = |text, cause| Caused(text, Some(Box::new(cause)));
        let error = cause("could not read", cause("no file: gone", Caused("gone", None)));
        assert_eq!(chain(&error), "could not read: no file: gone");
    }

    #[test]
    fn only_the_authority_loses_something() {
        for (url, shown) in [
            ("http://token@h:1", "http://h:1"),
            ("http://h?a=b@c", "http://h?a=b@c"),
            ("https://u:p@w@h/", "https://h/"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(without_credentials(url), shown);
        }
    }
}
