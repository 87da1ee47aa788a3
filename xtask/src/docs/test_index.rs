//! The names of all tests of the repository.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{ItemFn, Macro};

use crate::source::{Source, testing};

/// Test functions by name, those that run apart from those that are ignored.
#[derive(Debug, Default)]
pub(crate) struct TestIndex {
    run: BTreeSet<String>,
    ignored: BTreeSet<String>,
}

/// What is known of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    Runs,
    Ignored,
    Missing,
}

impl TestIndex {
    pub(crate) fn of(sources: &[Source]) -> Self {
        let mut index = Self::default();
        for source in sources {
            index.visit_file(&source.ast);
        }
        index
    }

    pub(crate) fn look_up(&self, name: &str) -> Known {
        if self.run.contains(name) {
            Known::Runs
        } else if self.ignored.contains(name) {
            Known::Ignored
        } else {
            Known::Missing
        }
    }

    fn add(&mut self, name: String, is_ignored: bool) {
        let names = if is_ignored {
            &mut self.ignored
        } else {
            &mut self.run
        };
        names.insert(name);
    }

    /// `proptest! { #[test] fn name(…) { … } }`: attributes and functions are plain tokens there.
    fn add_properties(&mut self, tokens: TokenStream) {
        let mut attributes: Vec<String> = Vec::new();
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    if let Some(TokenTree::Group(group)) = tokens.next() {
                        attributes.push(group.stream().to_string());
                    }
                }
                TokenTree::Ident(word) if word == "fn" => {
                    if let Some(TokenTree::Ident(name)) = tokens.next()
                        && attributes.iter().any(|attribute| attribute == "test")
                    {
                        let ignored = attributes.iter().any(|text| text.starts_with("ignore"));
                        self.add(name.to_string(), ignored);
                    }
                    attributes.clear();
                }
                _ => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for TestIndex {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        let testing = testing(&function.attrs);
        if testing.is_test {
            self.add(function.sig.ident.to_string(), testing.is_ignored);
        }
        visit::visit_item_fn(self, function);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        if call
            .path
            .segments
            .last()
            .is_some_and(|segment| segment.ident == "proptest")
        {
            self.add_properties(call.tokens.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index_of(text: &str) -> TestIndex {
        TestIndex::of(&[Source::parse("tests/a.rs", text.to_owned()).unwrap()])
    }

    #[test]
    fn tests_are_found_inside_of_modules_too() {
        let index = index_of(
            "#[test] fn one() {} fn helper() {}
             mod a { mod b { #[tokio::test(start_paused = true)] async fn two() {} } }",
        );
        assert_eq!(index.look_up("one"), Known::Runs);
        assert_eq!(index.look_up("two"), Known::Runs);
        assert_eq!(index.look_up("helper"), Known::Missing);
    }

    #[test]
    fn an_ignored_test_is_told_apart() {
        assert_eq!(
            index_of("#[test] #[ignore] fn one() {}").look_up("one"),
            Known::Ignored
        );
    }

    #[test]
    fn properties_are_tests() {
        let index = index_of(
            "proptest! {
                #![proptest_config(Config::default())]
                /// Doc.
                #[test] fn holds(x in 0..10) { fn inner() {} }
                #[test] #[ignore] fn slow(x in 0..10) {}
            }",
        );
        assert_eq!(index.look_up("holds"), Known::Runs);
        assert_eq!(index.look_up("slow"), Known::Ignored);
        assert_eq!(index.look_up("inner"), Known::Missing);
    }
}
