//! Lines of functions, from `fn` to the closing brace.

use std::path::PathBuf;

use syn::visit::{self, Visit};
use syn::{Block, ImplItemFn, Item, ItemFn, Signature, TraitItemFn};

use crate::report::Finding;
use crate::source::{Source, attributes_of, testing};

const MOST_LINES: usize = 60;

/// How long one function is.
#[derive(Debug)]
pub(crate) struct FunctionSize {
    path: PathBuf,
    line: usize,
    name: String,
    pub(crate) lines: usize,
}

/// All functions but those of tests.
pub(crate) fn measure(sources: &[Source]) -> Vec<FunctionSize> {
    let product = sources.iter().filter(|source| !source.is_test_file());
    product.flat_map(measure_file).collect()
}

fn measure_file(source: &Source) -> Vec<FunctionSize> {
    let mut functions = Functions {
        path: source.path.clone(),
        found: Vec::new(),
    };
    functions.visit_file(&source.ast);
    functions.found
}

struct Functions {
    path: PathBuf,
    found: Vec<FunctionSize>,
}

impl Functions {
    fn record(&mut self, signature: &Signature, body: &Block) {
        let line = signature.fn_token.span.start().line;
        let end = body.brace_token.span.close().end().line;
        let name = signature.ident.to_string();
        let path = self.path.clone();
        self.found.push(FunctionSize {
            path,
            line,
            name,
            lines: end + 1 - line,
        });
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item(&mut self, item: &'ast Item) {
        if !testing(attributes_of(item)).only_for_tests {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.record(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        if !testing(&function.attrs).only_for_tests {
            self.record(&function.sig, &function.block);
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if let Some(body) = &function.default {
            self.record(&function.sig, body);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

pub(crate) fn too_long(functions: &[FunctionSize]) -> Vec<Finding> {
    let long = functions
        .iter()
        .filter(|function| function.lines > MOST_LINES);
    long.map(|function| {
        let message = format!(
            "fn {} has {} lines; at most {MOST_LINES}",
            function.name, function.lines
        );
        Finding::at(&function.path, function.line, message)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn too_long_in(path: &str, text: &str) -> Vec<String> {
        let source = Source::parse(path, text.to_owned()).unwrap();
        too_long(&measure(&[source]))
            .into_iter()
            .map(|finding| finding.to_string())
            .collect()
    }

    fn of_lines(head: &str, lines: usize) -> String {
        format!("{head} {{\n{}}}\n", "    f();\n".repeat(lines - 2))
    }

    #[test]
    fn sixty_lines_are_allowed_and_no_more() {
        assert_eq!(
            too_long_in("src/a.rs", &of_lines("fn a()", 60)),
            Vec::<String>::new()
        );
        let found = too_long_in("src/a.rs", &of_lines("/// Doc.\nfn a()", 61));
        assert_eq!(found, ["src/a.rs:2: fn a has 61 lines; at most 60"]);
    }

    #[test]
    fn methods_and_default_bodies_count() {
        let method = format!("impl A {{\n{}}}", of_lines("fn a(&self)", 61));
        let default = format!("trait A {{\n{}}}", of_lines("fn a(&self)", 61));
        assert_eq!(too_long_in("src/a.rs", &method).len(), 1);
        assert_eq!(too_long_in("src/a.rs", &default).len(), 1);
    }

    #[test]
    fn tests_may_be_longer() {
        let test = of_lines("#[test]\nfn a()", 90);
        assert_eq!(too_long_in("src/a.rs", &test), Vec::<String>::new());
        assert_eq!(
            too_long_in("tests/a.rs", &of_lines("fn a()", 90)),
            Vec::<String>::new()
        );
    }
}
