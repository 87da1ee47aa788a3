//! What is written in the parentheses of `#[job]`.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Expr, Path, Result, Token};

use crate::arguments::{Argument, boolean, duration, path};

const KNOWN: &str = "`kind`, `queue`, `retries`, `timeout`, `version`, `discard_result`, `crate`";

/// The options that were given.
#[derive(Default)]
pub(super) struct Options {
    pub(super) kind: Option<Expr>,
    pub(super) origin: Option<Path>,
    queue: Option<Expr>,
    retries: Option<Expr>,
    timeout: Option<Duration>,
    version: Option<Expr>,
    discards_result: bool,
}

impl Options {
    pub(super) fn parse(text: TokenStream) -> Result<Self> {
        let list = Punctuated::<Argument, Token![,]>::parse_terminated.parse2(text)?;
        let mut options = Self::default();
        let mut seen: Vec<String> = Vec::new();
        for argument in list {
            let Some(name) = argument.name else {
                let what = format!("write `name = value`; `job` has {KNOWN}");
                return Err(Error::new(argument.value.span(), what));
            };
            let text = name.to_string();
            if seen.contains(&text) {
                return Err(Error::new(name.span(), format!("`{text}` is given twice")));
            }
            let value = argument.value;
            match text.as_str() {
                "kind" => options.kind = Some(value),
                "queue" => options.queue = Some(value),
                "retries" => options.retries = Some(value),
                "timeout" => options.timeout = Some(duration(&value)?),
                "version" => options.version = Some(value),
                "discard_result" => options.discards_result = boolean(&value)?,
                "crate" => options.origin = Some(path(&value)?),
                _ => {
                    let what = format!("`job` has no option `{text}`; it has {KNOWN}");
                    return Err(Error::new(name.span(), what));
                }
            }
            seen.push(text);
        }
        Ok(options)
    }

    /// The calls that make the kind what the options say.
    pub(super) fn calls(&self) -> TokenStream {
        let queue = self.queue.as_ref().map(|queue| quote!(.queue(#queue)));
        let retries = self.retries.as_ref().map(|count| quote!(.retries(#count)));
        let timeout = self.timeout.map(|limit| {
            let ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
            quote!(.timeout(::core::time::Duration::from_millis(#ms)))
        });
        let version = self
            .version
            .as_ref()
            .map(|number| quote!(.version(#number)));
        let discard = self.discards_result.then(|| quote!(.discard_result()));
        quote!(#queue #retries #timeout #version #discard)
    }
}
