//! A JSON Schema of the configuration file, for editors and for checks without NAQ.
//!
//! It refuses nothing that the loader takes. The loader knows more than a schema can say, so a
//! file that the schema takes may still have problems.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::schema::{Form, KeySpec, keys};
use crate::validate::number_range;

/// The JSON Schema (draft 2020-12) of a configuration file.
///
/// ```
/// let schema = naq_config::json_schema();
/// assert!(schema["properties"]["nats"]["properties"]["servers"]["description"].is_string());
/// ```
pub fn json_schema() -> Value {
    let mut root = Node::default();
    for spec in keys() {
        let mut node = &mut root;
        for segment in spec.path.split('.') {
            node = node.child(segment);
        }
        node.spec = Some(spec);
    }
    let sections = root.named.keys().copied();
    let mut profile: BTreeMap<&str, Value> = sections
        .map(|name| (name, json!({ "$ref": format!("#/properties/{name}") })))
        .collect();
    // The old form of a profile.
    profile.insert("overrides", json!({ "type": ["object", "null"] }));
    profile.insert("name", json!({ "type": "string" }));
    profile.insert("description", json!({ "type": "string" }));
    let mut schema = root.schema();
    schema["properties"]["environments"] = json!({
        "description": "Profiles; --profile or NAQ_ENVIRONMENT chooses one.",
        "type": ["object", "null"],
        "additionalProperties": {
            "type": ["object", "null"],
            "properties": profile,
            "additionalProperties": false,
        },
    });
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("Configuration of NAQ");
    schema["$defs"] = json!({
        "text": { "type": ["string", "number", "boolean"] },
        "variable": { "description": "${NAME:default}", "type": "string", "pattern": "\\$" },
    });
    schema
}

/// A section, an entry or a value.
#[derive(Default)]
struct Node {
    spec: Option<&'static KeySpec>,
    named: BTreeMap<&'static str, Self>,
    /// What stands under any other name.
    any: Option<Box<Self>>,
}

impl Node {
    fn child(&mut self, segment: &'static str) -> &mut Self {
        if segment.starts_with('<') {
            self.any.get_or_insert_default()
        } else {
            self.named.entry(segment).or_default()
        }
    }

    fn schema(&self) -> Value {
        let is_value = self.spec.is_some_and(|spec| spec.form != Form::Entry);
        let mut schema = match self.spec {
            Some(spec) if is_value => value(spec),
            _ => self.map(),
        };
        if let Some(spec) = self.spec {
            schema["description"] = json!(describe(spec));
        }
        schema
    }

    fn map(&self) -> Value {
        let named: BTreeMap<_, _> = self.named.iter().map(|(k, n)| (k, n.schema())).collect();
        let other = self.any.as_ref().map_or(json!(false), |node| node.schema());
        json!({ "type": ["object", "null"], "properties": named, "additionalProperties": other })
    }
}

fn describe(spec: &KeySpec) -> String {
    match spec.variables.first() {
        Some(variable) => format!("{} Variable: {variable}", spec.doc),
        None => spec.doc.to_owned(),
    }
}

fn value(spec: &KeySpec) -> Value {
    let mut forms = match spec.form {
        Form::Text | Form::Path | Form::Entry => vec![json!({ "$ref": "#/$defs/text" })],
        Form::Flag => vec![
            json!({ "type": "boolean" }),
            json!({ "enum": [0, 1] }),
            words(&["true", "false", "yes", "no", "on", "off", "1", "0"]),
        ],
        Form::Number => vec![number(spec), pattern("[0-9]+")],
        Form::Limit => vec![
            json!({ "type": "integer", "minimum": -1 }),
            pattern("-1(\\.0)?|[0-9]+"),
            words(&["unlimited"]),
        ],
        Form::Size => vec![number(spec), pattern("[0-9]+\\s*([kKmMgGtT][iI]?)?[bB]?")],
        Form::Time => vec![
            json!({ "type": "number", "minimum": 0 }),
            pattern("[-+.0-9].*"),
        ],
        Form::Storage => vec![words(&["file", "memory"])],
        Form::Compression => vec![words(&["none", "zlib"])],
        Form::List => vec![json!({ "type": "array", "items": { "$ref": "#/$defs/text" } })],
    };
    if spec.commas {
        forms.push(json!({ "$ref": "#/$defs/text" }));
    }
    if spec.optional {
        forms.push(json!({ "type": "null" }));
        forms.push(pattern(""));
    }
    if !matches!(spec.form, Form::Text | Form::Path | Form::List) {
        forms.push(json!({ "$ref": "#/$defs/variable" }));
    }
    let mut schema = json!({ "anyOf": forms });
    if spec.secret {
        schema["writeOnly"] = json!(true);
    }
    schema
}

fn number(spec: &KeySpec) -> Value {
    let (min, max) = number_range(spec.path).unwrap_or((0, u64::MAX));
    json!({ "type": "integer", "minimum": min, "maximum": max })
}

/// A text that is `inner` between white space.
fn pattern(inner: &str) -> Value {
    json!({ "type": "string", "pattern": format!("^\\s*({inner})\\s*$") })
}

/// One of `words`, in small or capital letters.
fn words(words: &[&str]) -> Value {
    let letter = |c: char| match c.is_ascii_alphabetic() {
        true => format!("[{c}{}]", c.to_ascii_uppercase()),
        false => c.to_string(),
    };
    let any: Vec<String> = words
        .iter()
        .map(|word| word.chars().map(letter).collect())
        .collect();
    pattern(&any.join("|"))
}
