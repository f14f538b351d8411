//! The tables as JSON Schema, for editors (config.md §8.3, §8.4).

use serde_json::{Map as Object, Value as Json, json};

use super::rule::{Alternative, Bounds, Key, Members, Others, Rule};
use super::tables::{TABLES, Table};

/// The kinds of files that [`json_schema`] knows.
pub fn schema_kinds() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|table| table.kind)
}

/// What a file of one kind may hold, as a JSON Schema of draft 4, in which `1.0` is no integer. It says what
/// [`crate::Soa::validate`] checks of a file by itself; `None` if there is no such kind.
///
/// ```
/// let schema = paasta_config::json_schema("adhoc").unwrap_or_default();
/// assert_eq!(schema["title"], "adhoc-CLUSTER.yaml");
/// assert!(paasta_config::json_schema("cron").is_none());
/// ```
pub fn json_schema(kind: &str) -> Option<Json> {
    Table::of_kind(kind).map(table)
}

fn table(table: &Table) -> Json {
    let mut block = rule(table.block);
    let mut names = Object::new();
    let title = match table.kind {
        "autotuned" => "autotuned_defaults/*-CLUSTER.yaml".to_owned(),
        kind => format!("{kind}-CLUSTER.yaml"),
    };
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-04/schema#",
        "title": title,
        "type": "object",
        "additionalProperties": false,
    });
    if table.templates {
        let about = "A template for merges (`<<`), not an instance.";
        names.insert("^_".to_owned(), json!({"type": "object", "description": about}));
    }
    if !table.may_be_empty {
        set(&mut schema, "minProperties", json!(1));
        set(&mut block, "minProperties", json!(1));
    }
    names.insert(table.names.pattern.to_owned(), block);
    set(&mut schema, "patternProperties", Json::Object(names));
    schema
}

fn rule(given: &Rule) -> Json {
    match given {
        Rule::Any => json!({}),
        Rule::Null => json!({"type": "null"}),
        Rule::Text => json!({"type": "string"}),
        Rule::Bool => json!({"type": "boolean"}),
        Rule::Number(bounds) => bounded("number", bounds),
        Rule::Integer(bounds) => bounded("integer", bounds),
        Rule::Words(words) => json!({"enum": words}),
        Rule::Form(form) => json!({"type": "string", "pattern": form.pattern}),
        Rule::List { of, unique } => {
            let mut list = json!({"type": "array"});
            if !matches!(of, Rule::Any) {
                set(&mut list, "items", rule(of));
            }
            if *unique {
                set(&mut list, "uniqueItems", json!(true));
            }
            list
        }
        Rule::Map(members) => map(members),
        Rule::Either(rules) => json!({"anyOf": rules.iter().map(rule).collect::<Vec<_>>()}),
    }
}

fn bounded(kind: &str, bounds: &Bounds) -> Json {
    let mut schema = json!({"type": kind});
    if let Some(above) = bounds.above {
        set(&mut schema, "minimum", number(above));
        set(&mut schema, "exclusiveMinimum", json!(true));
    }
    if let Some(least) = bounds.least {
        set(&mut schema, "minimum", number(least));
    }
    if let Some(most) = bounds.most {
        set(&mut schema, "maximum", number(most));
    }
    schema
}

/// Bounds are small whole numbers; they read better without a point.
fn number(value: f64) -> Json {
    if value.fract() == 0.0 { json!(value as i64) } else { json!(value) }
}

fn map(members: &Members) -> Json {
    let mut schema = json!({"type": "object"});
    if !members.keys.is_empty() {
        let keys = members.keys.iter().map(|key| (key.name.to_owned(), described(key)));
        set(&mut schema, "properties", Json::Object(keys.collect()));
    }
    let required: Vec<&str> = members.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    if !required.is_empty() {
        set(&mut schema, "required", json!(required));
    }
    match members.others {
        Others::Free => {}
        Others::Refused => set(&mut schema, "additionalProperties", json!(false)),
        Others::Each(others) => set(&mut schema, "additionalProperties", rule(others)),
        Others::Named(form, others) => {
            set(&mut schema, "patternProperties", json!({form.pattern: rule(others)}));
            set(&mut schema, "additionalProperties", json!(false));
        }
    }
    let choices = members
        .choices
        .iter()
        .map(|choice| json!({"oneOf": choice.alternatives.each_ref().map(alternative)}));
    let choices: Vec<Json> = choices.collect();
    if !choices.is_empty() {
        set(&mut schema, "allOf", json!(choices));
    }
    schema
}

fn described(key: &Key) -> Json {
    let mut schema = rule(&key.rule);
    set(&mut schema, "description", json!(key.about));
    schema
}

fn alternative(given: &Alternative) -> Json {
    let keys = given.keys.iter().map(|(name, of)| ((*name).to_owned(), rule(of)));
    let mut schema = json!({"properties": Json::Object(keys.collect())});
    if !given.required.is_empty() {
        set(&mut schema, "required", json!(given.required));
    }
    schema
}

fn set(schema: &mut Json, key: &str, value: Json) {
    if let Json::Object(members) = schema {
        members.insert(key.to_owned(), value);
    }
}
