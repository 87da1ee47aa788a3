//! The attributes of a function, from the outermost in.

use proc_macro2::TokenStream;
use syn::{Attribute, Meta, Path, Result};

use crate::arguments::Arguments;
use crate::kind::{ALL, Kind};

pub(crate) struct Layer {
    pub(crate) kind: Kind,
    pub(crate) arguments: Arguments,
    /// How the user names it, if it is not the one that the compiler has called.
    pub(crate) path: Option<Path>,
}

impl Layer {
    pub(crate) fn parse(kind: Kind, arguments: TokenStream) -> Result<Self> {
        let arguments = Arguments::parse(kind, arguments)?;
        Ok(Self {
            kind,
            arguments,
            path: None,
        })
    }
}

/// Takes ours out of `attributes`. All of a function are expanded at once, for an upper one must
/// know what the lower ones give.
pub(crate) fn take(attributes: &mut Vec<Attribute>) -> Result<Vec<Layer>> {
    let mut layers = Vec::new();
    for attribute in std::mem::take(attributes) {
        let last = attribute.path().segments.last();
        let kind = ALL
            .into_iter()
            .find(|kind| last.is_some_and(|last| last.ident == kind.name()));
        let Some(kind) = kind else {
            attributes.push(attribute);
            continue;
        };
        let path = attribute.path().clone();
        let arguments = match attribute.meta {
            Meta::List(list) => list.tokens,
            _ => TokenStream::new(),
        };
        layers.push(Layer {
            path: Some(path),
            ..Layer::parse(kind, arguments)?
        });
    }
    Ok(layers)
}
