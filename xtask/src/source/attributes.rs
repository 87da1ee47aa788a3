//! What the attributes of an item say about tests.

use syn::punctuated::Punctuated;
use syn::{Attribute, Item, Meta, Token};

/// How an item takes part in testing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Testing {
    /// Compiled only for tests: `#[cfg(test)]`, or a test function.
    pub(crate) only_for_tests: bool,
    /// `#[test]`, `#[tokio::test]` and the like.
    pub(crate) is_test: bool,
    /// `#[ignore]`, also under a condition.
    pub(crate) is_ignored: bool,
}

pub(crate) fn testing(attributes: &[Attribute]) -> Testing {
    let mut found = Testing::default();
    for attribute in attributes {
        let path = attribute.path();
        if path.is_ident("cfg") {
            found.only_for_tests |= attribute.parse_args().is_ok_and(|meta| implies_test(&meta));
        } else if path.is_ident("ignore") || path.is_ident("cfg_attr") && adds_ignore(attribute) {
            found.is_ignored = true;
        } else if path
            .segments
            .last()
            .is_some_and(|segment| segment.ident == "test")
        {
            found.is_test = true;
            found.only_for_tests = true;
        }
    }
    found
}

/// Whether a `cfg` predicate can hold in a test build only.
fn implies_test(predicate: &Meta) -> bool {
    match predicate {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) => {
            let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
            let Ok(parts) = parts else { return false };
            if list.path.is_ident("all") {
                parts.iter().any(implies_test)
            } else {
                list.path.is_ident("any") && !parts.is_empty() && parts.iter().all(implies_test)
            }
        }
        Meta::NameValue(_) => false,
    }
}

fn adds_ignore(attribute: &Attribute) -> bool {
    let parts = attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
    parts.is_ok_and(|parts| {
        parts
            .iter()
            .skip(1)
            .any(|meta| meta.path().is_ident("ignore"))
    })
}

pub(crate) fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn testing_of(item: &str) -> Testing {
        testing(attributes_of(&syn::parse_str(item).unwrap()))
    }

    #[test]
    fn a_cfg_that_can_hold_outside_of_tests_is_product_code() {
        assert!(testing_of("#[cfg(test)] mod tests {}").only_for_tests);
        assert!(testing_of("#[cfg(all(test, unix))] mod tests {}").only_for_tests);
        assert!(!testing_of("#[cfg(any(test, unix))] mod tests {}").only_for_tests);
        assert!(!testing_of("#[cfg(not(test))] mod product {}").only_for_tests);
    }

    #[test]
    fn any_attribute_that_ends_in_test_makes_a_test() {
        assert!(testing_of("#[tokio::test(flavor = \"multi_thread\")] async fn f() {}").is_test);
        assert!(testing_of("#[test] #[ignore = \"slow\"] fn f() {}").is_ignored);
        assert!(testing_of("#[test] #[cfg_attr(windows, ignore)] fn f() {}").is_ignored);
        assert!(!testing_of("fn test() {}").is_test);
    }
}
