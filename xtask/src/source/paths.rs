//! Every path that a file names: in `use`, in types and expressions, and inside macro calls.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{File, ImplItemFn, Item, ItemMod, ItemUse, Macro, UseTree, VisRestricted};

use super::attributes::{attributes_of, testing};

/// One path as written, and the module that it was written in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathUse {
    /// Names from the crate root down to the module around it.
    pub(crate) module: Vec<String>,
    /// The last one is `*` for a glob.
    pub(crate) segments: Vec<String>,
    /// The name it has afterwards when it was imported: the last segment or what follows `as`.
    pub(crate) imported_as: Option<String>,
    pub(crate) line: usize,
}

/// The paths of a file that is the module `module`. Without `with_tests`, items compiled only for
/// tests are passed over.
pub(crate) fn path_uses(file: &File, module: &[String], with_tests: bool) -> Vec<PathUse> {
    let mut collector = Collector {
        module: module.to_vec(),
        with_tests,
        found: Vec::new(),
    };
    collector.visit_file(file);
    collector.found
}

struct Collector {
    module: Vec<String>,
    with_tests: bool,
    found: Vec<PathUse>,
}

impl Collector {
    fn record(&mut self, segments: Vec<String>, imported_as: Option<String>, span: Span) {
        let line = span.start().line;
        self.found.push(PathUse {
            module: self.module.clone(),
            segments,
            imported_as,
            line,
        });
    }

    fn record_use_tree(&mut self, prefix: &[String], tree: &UseTree) {
        let with = |name: String| [prefix, &[name]].concat();
        match tree {
            UseTree::Path(path) => {
                self.record_use_tree(&with(path.ident.to_string()), &path.tree);
            }
            UseTree::Name(name) if name.ident == "self" => {
                self.record(prefix.to_vec(), prefix.last().cloned(), name.ident.span());
            }
            UseTree::Name(name) => {
                let ident = name.ident.to_string();
                self.record(with(ident.clone()), Some(ident), name.ident.span());
            }
            UseTree::Rename(rename) => {
                let original = rename.ident.to_string();
                let path = if original == "self" {
                    prefix.to_vec()
                } else {
                    with(original)
                };
                self.record(path, Some(rename.rename.to_string()), rename.ident.span());
            }
            UseTree::Glob(glob) => self.record(with("*".into()), None, glob.star_token.spans[0]),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.record_use_tree(prefix, tree);
                }
            }
        }
    }

    /// Paths are only text inside of a macro call: finds `a::b::c` among its tokens.
    fn record_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut start = Span::call_site();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.record_if_path(std::mem::take(&mut path), start);
                        start = ident.span();
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.record_if_path(std::mem::take(&mut path), start);
                    colons = 0;
                    self.record_tokens(group.stream());
                }
                _ => {
                    self.record_if_path(std::mem::take(&mut path), start);
                    colons = 0;
                }
            }
        }
        self.record_if_path(path, start);
    }

    fn record_if_path(&mut self, segments: Vec<String>, span: Span) {
        if !segments.is_empty() {
            self.record(segments, None, span);
        }
    }
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item(&mut self, item: &'ast Item) {
        if self.with_tests || !testing(attributes_of(item)).only_for_tests {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        if self.with_tests || !testing(&function.attrs).only_for_tests {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        self.module.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.record_use_tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if let Some(first) = path.segments.first() {
            self.record(segments, None, first.ident.span());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.visit_path(&call.path);
        self.record_tokens(call.tokens.clone());
    }

    // `pub(in path)` names an ancestor, never a dependency.
    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        let uses = path_uses(&syn::parse_file(text).unwrap(), &[], false);
        uses.into_iter()
            .map(|path| path.segments.join("::"))
            .collect()
    }

    #[test]
    fn use_groups_are_spread_out() {
        let found = paths("use crate::a::{self, b::C, d as e, f::*};");
        assert_eq!(
            found,
            [
                "crate::a",
                "crate::a::b::C",
                "crate::a::d",
                "crate::a::f::*"
            ]
        );
    }

    #[test]
    fn paths_inside_of_macro_calls_are_seen() {
        let found = paths("fn f() { println!(\"{}\", crate::a::b(1, super::c::D)); }");
        assert!(found.contains(&"crate::a::b".to_owned()));
        assert!(found.contains(&"super::c::D".to_owned()));
    }

    #[test]
    fn test_code_is_passed_over() {
        let text = "#[cfg(test)] mod tests { use crate::a::B; }\n#[test] fn t() { crate::c::d() }";
        assert_eq!(paths(text), Vec::<String>::new());
    }

    #[test]
    fn a_path_knows_its_line_and_module() {
        let file = syn::parse_file("mod inner {\n    use super::x::Y;\n}").unwrap();
        let uses = path_uses(&file, &["outer".to_owned()], false);
        assert_eq!(
            (uses[0].line, uses[0].module.join("::")),
            (2, "outer::inner".to_owned())
        );
    }
}
