//! Builds the tree from parser events.
//!
//! The events of `serde-saphyr` are used instead of its deserializer because they keep the text
//! of a scalar as written, and let all duplicate keys be reported rather than the first.

use std::collections::HashMap;

use serde_saphyr::granit_parser::{
    Event, Options, Parser, ScalarStyle, ScanError, Span, StrInput, Tag,
};

use super::{Fault, Field, Node, Value};
use crate::Place;

const MAX_BYTES: usize = 1024 * 1024;
const MAX_NESTING: usize = 64;
/// Nodes and bytes of the whole tree; aliases are the only way to come near it.
const MAX_WEIGHT: usize = 4 * MAX_BYTES;

/// Parses one document. `None` means that there is no tree: the text is empty or broken.
pub(crate) fn parse(text: &str) -> (Option<Node>, Vec<Fault>) {
    if text.len() > MAX_BYTES {
        let message = format!("more than {MAX_BYTES} bytes");
        return (
            None,
            vec![Fault {
                place: Place { line: 1, column: 1 },
                message,
            }],
        );
    }
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = MAX_NESTING;
    options.block_nesting_limit = MAX_NESTING;
    let mut reader = Reader {
        events: Parser::new_from_str_with_options(text, options),
        anchors: HashMap::new(),
        weight: 0,
        faults: Vec::new(),
    };
    match reader.document() {
        Ok(root) => (root, reader.faults),
        Err(fault) => {
            reader.faults.push(fault);
            (None, reader.faults)
        }
    }
}

struct Reader<'t> {
    events: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Node>,
    weight: usize,
    faults: Vec<Fault>,
}

impl<'t> Reader<'t> {
    fn document(&mut self) -> Result<Option<Node>, Fault> {
        let mut root = None;
        while let Some(event) = self.events.next_event() {
            let (event, span) = event.map_err(|error| syntax(&error))?;
            match event {
                Event::StreamStart | Event::DocumentEnd => {}
                Event::StreamEnd => break,
                Event::DocumentStart(..) if root.is_none() => {}
                Event::DocumentStart(..) => {
                    return Err(fault(&span, "a second document; a file has only one"));
                }
                node => root = Some(self.node(node, &span)?),
            }
        }
        Ok(root)
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Fault> {
        match self.events.next_event() {
            Some(event) => event.map_err(|error| syntax(&error)),
            None => {
                let message = "the text ends too early".to_owned();
                Err(Fault {
                    place: Place { line: 1, column: 1 },
                    message,
                })
            }
        }
    }

    fn node(&mut self, event: Event<'t>, span: &Span) -> Result<Node, Fault> {
        let place = place(span);
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.spend(1 + text.len(), span)?;
                let as_text = self.is_text_tag(tag.as_deref(), span);
                let null = style == ScalarStyle::Plain && !as_text && is_null(&text);
                let value = if null {
                    Value::Null
                } else {
                    Value::Text(text.into_owned())
                };
                (value, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.spend(1, span)?;
                self.is_text_tag(tag.as_deref(), span);
                (Value::List(self.list()?), anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.spend(1, span)?;
                self.is_text_tag(tag.as_deref(), span);
                (Value::Map(self.map()?), anchor)
            }
            Event::Alias(anchor) => {
                let Some(target) = self.anchors.get(&anchor) else {
                    return Err(fault(span, "an alias inside the value that it stands for"));
                };
                let cost = weight(target);
                let value = target.value.clone();
                self.spend(cost, span)?;
                (value, 0)
            }
            _ => return Err(fault(span, "this YAML construct is not supported")),
        };
        let node = Node { place, value };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self) -> Result<Vec<Node>, Fault> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, &span)?),
            }
        }
    }

    fn map(&mut self) -> Result<Vec<Field>, Fault> {
        let mut fields = Vec::new();
        let mut seen: HashMap<String, Place> = HashMap::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let key_node = self.node(event, &span)?;
            let (event, value_span) = self.next()?;
            let node = self.node(event, &value_span)?;
            let key = match key_node.value {
                Value::Text(key) => key,
                Value::Null => "null".to_owned(),
                other => {
                    let message = format!("a key must be a text, not {}", other.describe());
                    self.faults.push(Fault {
                        place: key_node.place,
                        message,
                    });
                    continue;
                }
            };
            if key == "<<" {
                merged.push(node);
            } else if let Some(first) = seen.get(&key) {
                let message = format!(
                    "the key `{key}` is there twice; the first is on line {}",
                    first.line
                );
                self.faults.push(Fault {
                    place: key_node.place,
                    message,
                });
            } else {
                seen.insert(key.clone(), key_node.place);
                fields.push(Field {
                    key,
                    key_place: key_node.place,
                    node,
                });
            }
        }
        for node in merged {
            self.merge(&mut fields, node);
        }
        Ok(fields)
    }

    /// `<<: *anchor`: the fields of the other map that this one does not have.
    fn merge(&mut self, fields: &mut Vec<Field>, from: Node) {
        match from.value {
            Value::Map(others) => {
                for other in others {
                    if fields.iter().all(|field| field.key != other.key) {
                        fields.push(other);
                    }
                }
            }
            Value::List(maps) if maps.iter().all(|m| matches!(m.value, Value::Map(_))) => {
                for map in maps {
                    self.merge(fields, map);
                }
            }
            other => {
                let message = format!("`<<` merges maps, not {}", other.describe());
                self.faults.push(Fault {
                    place: from.place,
                    message,
                });
            }
        }
    }

    /// Whether the tag says that the scalar is a text. Tags outside YAML itself are refused,
    /// since ignoring one such as `!include` would lose what its author meant.
    fn is_text_tag(&mut self, tag: Option<&Tag>, span: &Span) -> bool {
        let Some(tag) = tag else { return false };
        if !tag.is_yaml_core_schema() && tag.original() != "!" {
            self.faults
                .push(fault(span, "YAML tags are not supported here"));
        }
        tag.is_yaml_core_schema_tag("str") || tag.original() == "!"
    }

    fn spend(&mut self, cost: usize, span: &Span) -> Result<(), Fault> {
        self.weight = self.weight.saturating_add(cost);
        if self.weight > MAX_WEIGHT {
            return Err(fault(span, "the aliases expand to too much text"));
        }
        Ok(())
    }
}

fn weight(node: &Node) -> usize {
    1 + match &node.value {
        Value::Null => 0,
        Value::Text(text) => text.len(),
        Value::List(items) => items.iter().map(weight).sum(),
        Value::Map(fields) => fields
            .iter()
            .map(|field| 1 + field.key.len() + weight(&field.node))
            .sum(),
    }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

fn place(span: &Span) -> Place {
    Place {
        line: span.start.line(),
        column: span.start.col() + 1,
    }
}

fn fault(span: &Span, message: &str) -> Fault {
    Fault {
        place: place(span),
        message: message.to_owned(),
    }
}

fn syntax(error: &ScanError) -> Fault {
    let marker = error.marker();
    Fault {
        place: Place {
            line: marker.line(),
            column: marker.col() + 1,
        },
        message: format!("not valid YAML: {}", error.info()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str) -> Vec<String> {
        let (_, faults) = parse(text);
        faults
            .iter()
            .map(|f| format!("{} {}", f.place, f.message))
            .collect()
    }

    fn field<'n>(node: &'n Node, key: &str) -> &'n Field {
        let Value::Map(fields) = &node.value else {
            panic!("not a map")
        };
        fields.iter().find(|f| f.key == key).expect("a field")
    }

    #[test]
    fn keys_and_values_know_their_place_and_keep_their_text() {
        let (root, faults) = parse("a:\n  b: 007\n  c: [x, 'null', null]\n");
        assert_eq!(faults, []);
        let root = root.unwrap();
        let a = field(&root, "a");
        let b = field(&a.node, "b");
        assert_eq!((b.key_place, b.node.place), (at(2, 3), at(2, 6)));
        assert_eq!(b.node.value, Value::Text("007".to_owned()));
        let Value::List(items) = &field(&a.node, "c").node.value else {
            panic!("not a list")
        };
        assert_eq!(items[1].value, Value::Text("null".to_owned()));
        assert_eq!((items[2].place, &items[2].value), (at(3, 18), &Value::Null));
    }

    fn at(line: usize, column: usize) -> Place {
        Place { line, column }
    }

    #[test]
    fn every_duplicate_key_is_reported() {
        assert_eq!(
            messages("a: 1\na: 2\nb: {c: 1, c: 2}\n"),
            [
                "2:1 the key `a` is there twice; the first is on line 1",
                "3:11 the key `c` is there twice; the first is on line 3",
            ]
        );
    }

    #[test]
    fn an_empty_text_has_no_tree_and_no_faults() {
        assert_eq!(parse(""), (None, vec![]));
        assert_eq!(parse("# only a comment\n"), (None, vec![]));
    }

    #[test]
    fn broken_text_is_reported_where_it_breaks() {
        let found = messages("a: 1\nb: [1, 2\nc: 3\n");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].contains("not valid YAML: ") && found[0].len() > 25,
            "{found:?}"
        );
        assert!(messages("a: 1\n---\nb: 2\n")[0].starts_with("2:1 a second document"));
        assert!(messages("a: !include x\n")[0].contains("tags"));
        assert!(messages("? [a]\n: b\n")[0].contains("a key must be a text"));
    }

    #[test]
    fn aliases_and_merge_keys_work_within_a_budget() {
        let (root, faults) = parse("a: &x {k: 1, l: 2}\nb:\n  <<: *x\n  k: 3\nc: *x\n");
        assert_eq!(faults, []);
        let root = root.unwrap();
        let b = &field(&root, "b").node;
        assert_eq!(field(b, "k").node.value, Value::Text("3".to_owned()));
        assert_eq!(field(b, "l").node.value, Value::Text("2".to_owned()));
        assert_eq!(field(&root, "c").node.value, field(&root, "a").node.value);

        let mut bomb = "a0: &a0 [x]\n".to_owned();
        for i in 1..30 {
            let p = i - 1;
            bomb.push_str(&format!("a{i}: &a{i} [*a{p}, *a{p}, *a{p}, *a{p}]\n"));
        }
        assert!(messages(&bomb)[0].contains("too much"));
        assert!(messages("a: &a [*a]\n")[0].contains("inside the value"));
    }

    #[test]
    fn deep_nesting_is_refused() {
        assert_eq!(messages(&"[".repeat(100_000)).len(), 1);
        let mut deep = String::new();
        for level in 0..200 {
            deep.push_str(&format!("{}k:\n", " ".repeat(level)));
        }
        assert_eq!(messages(&deep).len(), 1);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[a-b:\\-\\[\\]\\{\\}&*!<>|\"' \n\t#,?~]{0,60}|\\PC{0,60}") {
            let _outcome = parse(&text);
        }
    }
}
