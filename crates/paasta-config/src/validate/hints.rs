//! The way out of each thing that can be wrong.

use super::rule::Rule;
use super::tables::TABLES;
use crate::soa::close_matches;
use crate::yaml::YamlProblem;
use crate::{LoadError, Node, Value};

/// What was probably meant, else what there is.
pub(super) fn one_of<'a>(given: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let lower = given.to_lowercase();
    let close =
        close_matches(given, known.clone()).into_iter().chain(close_matches(&lower, known.clone())).next();
    match close {
        Some(close) => format!("Did you mean `{close}`?"),
        None => {
            let known: Vec<&str> = known.into_iter().collect();
            match known.as_slice() {
                [] => "There is none to choose from.".to_owned(),
                [one] => format!("Use `{one}`."),
                many => format!("Use one of `{}`.", many.join("`, `")),
            }
        }
    }
}

/// What keys are called elsewhere, or were once, and what they are called here.
const OTHER_WORDS: [(&str, &str); 9] = [
    ("command", "cmd"),
    ("environment", "env"),
    ("health_check_path", "healthcheck_uri"),
    ("memory", "mem"),
    ("nerve_ns", "registrations"),
    ("port", "container_port"),
    ("replicas", "instances"),
    ("ulimit", "extra_docker_args"),
    ("volumes", "extra_volumes"),
];

/// For a key that is not known: what was meant, or where it may belong.
pub(super) fn unknown_key(given: &str, known: &[&str]) -> String {
    if let Some((_, here)) = OTHER_WORDS.iter().find(|(word, here)| *word == given && known.contains(here)) {
        return format!("Use `{here}`: that is its name here.");
    }
    match close_matches(&given.to_lowercase().replace('-', "_"), known.iter().copied()).first() {
        Some(close) => format!("Did you mean `{close}`?"),
        None if TABLES.iter().any(|table| table.keys().any(|key| key == given)) => {
            "Remove the key: it belongs to other kinds of files.".to_owned()
        }
        None => "Remove the key; `paasta validate --print-schema` lists those there are.".to_owned(),
    }
}

/// For a value that is not what `rule` wants.
pub(super) fn value(node: &Node, rule: &Rule) -> String {
    match (rule, &node.value) {
        (_, Value::Null) => "Give the key a value, or remove it.".to_owned(),
        (Rule::Words(words), Value::String(text)) => one_of(text, words.iter().copied()),
        (Rule::Words(words), _) => one_of("", words.iter().copied()),
        (Rule::Text | Rule::Form(_), _) if !node.is_scalar() => "Write a single text here.".to_owned(),
        (Rule::Text, Value::Bool(_)) => {
            "Put the word in quotes: without them YAML takes yes, no, on, off, true and false for booleans."
                .to_owned()
        }
        (Rule::Text, _) => "Put the value in quotes.".to_owned(),
        (Rule::Number(_) | Rule::Integer(_), Value::String(text)) => number_text(text, rule),
        (Rule::Number(_) | Rule::Integer(_), _) => format!("Write {}.", rule.phrase()),
        (Rule::Bool, _) => "Write `true` or `false`, without quotes.".to_owned(),
        (Rule::Form(form), Value::String(_)) => format!("Write {}.", form.noun),
        (Rule::Form(_), _) => "Put the value in quotes.".to_owned(),
        (Rule::List { .. }, Value::String(text)) if text.contains(',') => {
            let words: Vec<&str> = text.split(',').map(str::trim).collect();
            format!("Write a list: `[{}]`.", words.join(", "))
        }
        (Rule::List { .. }, Value::String(_) | Value::Int(_)) => {
            "Put the value in brackets, as a list of one.".to_owned()
        }
        (Rule::List { .. }, _) => "Write a list: one `- value` per line.".to_owned(),
        (Rule::Map(_), _) => "Write a map: one `key: value` per line, indented below the key.".to_owned(),
        (Rule::Any | Rule::Null | Rule::Either(_), _) => format!("Write {}.", rule.phrase()),
    }
}

fn number_text(text: &str, rule: &Rule) -> String {
    if let Ok(number) = text.parse::<f64>()
        && text.contains(['e', 'E'])
    {
        return format!("Write {number}: with an exponent, YAML reads a number only in the form `1.0e+3`.");
    }
    match text.replace('_', "").parse::<f64>() {
        Ok(_) => "Write the number without quotes.".to_owned(),
        Err(_) => format!("Write {}, in digits and without a unit.", rule.phrase()),
    }
}

/// For what kept a file or an instance from being loaded.
pub(super) fn of_load_error(error: &LoadError) -> String {
    match error {
        LoadError::Yaml(error) => yaml(&error.problem),
        LoadError::Json(_) => {
            "Mend the JSON at this place: a comma, bracket or quote is missing or too many.".to_owned()
        }
        LoadError::Setting(error)
            if error.key.ends_with("deploy_group") && error.expected.contains("text") =>
        {
            "Between braces write `cluster`, `instance` or `service`; `{{` and `}}` are braces themselves."
                .to_owned()
        }
        LoadError::Setting(error) if error.key == "the file" => {
            "Begin the file with names, each with `:` behind it and its settings indented below.".to_owned()
        }
        LoadError::Setting(error) if error.expected.starts_with("one of `") => {
            let words: Vec<&str> = error.expected.split('`').skip(1).step_by(2).collect();
            one_of(error.value.trim_matches('"'), words)
        }
        LoadError::Setting(error) if error.value == "null" => {
            format!("Write {} here, or remove the key.", error.expected)
        }
        LoadError::Setting(error) => format!("Write {} here.", error.expected),
        LoadError::InvalidName { .. } => "Choose another name.".to_owned(),
        LoadError::Io(_) => {
            "Make it a regular file that is readable and inside of the soa-configs.".to_owned()
        }
        LoadError::NoDeployments { .. } => "Run `paasta mark-for-deployment`.".to_owned(),
        LoadError::NoSuchInstance { .. } => "Define the instance in the file of this cluster.".to_owned(),
        LoadError::NotLoadable { .. } => "Give it another type; PaaSTA does not run this one.".to_owned(),
        LoadError::System(_) => "Mend the system configuration.".to_owned(),
    }
}

/// For a character that no token begins with: what is wrong, and what to do.
pub(super) fn of_character(c: char) -> Option<(String, String)> {
    let shown = match c {
        '\t' => {
            let hint = "Replace the tab by spaces: YAML is indented with spaces only.".to_owned();
            return Some(("a tab stands where a value or spaces are expected".to_owned(), hint));
        }
        '@' | '%' => format!("`{c}`"),
        '`' => "a backtick".to_owned(),
        _ => return None,
    };
    Some((format!("no plain text begins with {shown}"), "Put the value in quotes.".to_owned()))
}

/// For what is wrong with a file as YAML.
fn yaml(problem: &YamlProblem) -> String {
    let text = problem.to_string();
    let has = |part: &str| text.contains(part);
    let hint = match problem {
        YamlProblem::Text(_) if has("UTF") => "Save the file as UTF-8.",
        YamlProblem::Text(_) => "Delete the character; an editor that shows control characters finds it.",
        YamlProblem::TooLarge(_) => "Split the file, or use fewer aliases.",
        YamlProblem::Composition(_) if has("more than one document") => {
            "Keep one document: remove the line `---` and what belongs to the other one."
        }
        YamlProblem::Composition(_) if has("stands twice") => "Give each anchor a name of its own.",
        YamlProblem::Composition(_) if has("no anchor") => {
            "Define the anchor above this line, as in `_template: &name`, or mend its spelling."
        }
        YamlProblem::Composition(_) => "Write the values out instead of the alias.",
        YamlProblem::Value(_) if has("`<<`") => "Let `<<` stand for `*name` of a map, or for a list of them.",
        YamlProblem::Value(_) if has("tag") => "Remove the tag; a text that begins with `!` needs quotes.",
        YamlProblem::Value(_) if has("cannot be a key") => {
            "Use a text as the key; a text that begins with `[` or `{` needs quotes."
        }
        YamlProblem::Value(_) => "Put the value in quotes if it is meant as a text.",
        YamlProblem::Syntax(_) => syntax(&text),
    };
    hint.to_owned()
}

fn syntax(problem: &str) -> &'static str {
    let has = |part: &str| problem.contains(part);
    if has("mapping values are not allowed") {
        "Put the value in quotes if it holds `: `; else mend the indentation of this line."
    } else if has("cannot start any token") {
        "Put the value in quotes if it begins with `@`, `%` or a backtick; indent with spaces, not with tabs."
    } else if has("tab character") {
        "Indent with spaces, not with tabs."
    } else if has("alphabetic or numeric") {
        "Put the value in quotes: a plain `*` or `&` begins an alias or anchor."
    } else if has("expected ',' or") || has("node content") {
        "Close the `[` or `{` that is open here, or put the value in quotes."
    } else if has("unexpected end of stream") || has("document indicator") {
        "Close the quotes that are open here."
    } else if has("escape") {
        "Use single quotes, in which backslashes mean themselves."
    } else if has("could not find expected ':'") {
        "A key lacks its `:`, or the line before is indented wrongly."
    } else if has("expected key") || has("expected '-' indicator") || has("block") {
        "Give this line the indentation of its neighbours."
    } else {
        "Look at this line and the one before: indentation, quotes, brackets."
    }
}
