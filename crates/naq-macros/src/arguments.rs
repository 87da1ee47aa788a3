//! What is written in the parentheses of an attribute.

use std::time::Duration;

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprLit, Ident, Lit, Path, Result, Token};

use crate::kind::Kind;

/// The options of one attribute.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) config: Option<Expr>,
    pub(crate) bucket: Option<Expr>,
    pub(crate) origin: Option<Path>,
    pub(crate) retry: Retry,
}

/// The options of a retry that were given.
#[derive(Default)]
pub(crate) struct Retry {
    pub(crate) max_retries: Option<Expr>,
    pub(crate) delay: Option<Duration>,
    pub(crate) factor: Option<Expr>,
    pub(crate) max_delay: Option<Duration>,
    pub(crate) jitter: Option<Expr>,
    pub(crate) at_least_once: bool,
    pub(crate) when: Option<Expr>,
}

pub(crate) struct Argument {
    pub(crate) name: Option<Ident>,
    pub(crate) value: Expr,
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let named = input.peek(Ident::peek_any) && input.peek2(Token![=]);
        if !named {
            let value = input.parse()?;
            return Ok(Self { name: None, value });
        }
        let name = Some(input.call(Ident::parse_any)?);
        input.parse::<Token![=]>()?;
        let value = input.parse()?;
        Ok(Self { name, value })
    }
}

impl Arguments {
    pub(crate) fn parse(kind: Kind, text: proc_macro2::TokenStream) -> Result<Self> {
        let list = Punctuated::<Argument, Token![,]>::parse_terminated.parse2(text)?;
        let mut arguments = Self::default();
        let mut seen: Vec<String> = Vec::new();
        for argument in list {
            // Only the bucket may come without its name.
            let (name, span) = match &argument.name {
                Some(name) => (name.to_string(), name.span()),
                None => ("bucket".to_owned(), argument.value.span()),
            };
            if !kind.options().contains(&&*name) {
                return Err(Error::new(span, kind.refusal(&name)));
            }
            if seen.contains(&name) {
                return Err(Error::new(span, format!("`{name}` is given twice")));
            }
            arguments.set(&name, argument.value)?;
            seen.push(name);
        }
        if kind == Kind::KvStore && arguments.bucket.is_none() {
            let what = "name the bucket: `#[with_kv_store(\"status\")]`";
            return Err(Error::new(Span::call_site(), what));
        }
        Ok(arguments)
    }

    fn set(&mut self, name: &str, value: Expr) -> Result<()> {
        let retry = &mut self.retry;
        match name {
            "config" => self.config = Some(value),
            "bucket" => self.bucket = Some(value),
            "crate" => self.origin = Some(path(&value)?),
            "max_retries" => retry.max_retries = Some(value),
            "retry_delay" => retry.delay = Some(duration(&value)?),
            "backoff_factor" => retry.factor = Some(float(value)),
            "max_delay" => retry.max_delay = Some(duration(&value)?),
            "jitter" => retry.jitter = Some(value),
            "at_least_once" => retry.at_least_once = boolean(&value)?,
            _ => retry.when = Some(value),
        }
        Ok(())
    }
}

pub(crate) fn path(value: &Expr) -> Result<Path> {
    match value {
        Expr::Path(path) => Ok(path.path.clone()),
        other => Err(Error::new(
            other.span(),
            "write a path, such as `crate = my::path`",
        )),
    }
}

pub(crate) fn boolean(value: &Expr) -> Result<bool> {
    match literal(value) {
        Some(Lit::Bool(value)) => Ok(value.value),
        _ => Err(Error::new(value.span(), "write `true` or `false`")),
    }
}

/// `2` is as good as `2.0`.
fn float(value: Expr) -> Expr {
    match literal(&value).map(|literal| (literal, literal.span())) {
        Some((Lit::Int(whole), span)) if whole.suffix().is_empty() => {
            let text = format!("{}.0", whole.base10_digits());
            Expr::Lit(ExprLit {
                attrs: Vec::new(),
                lit: Lit::Float(syn::LitFloat::new(&text, span)),
            })
        }
        _ => value,
    }
}

/// Text such as `"1s"` or `"250ms"`, or a number of seconds.
pub(crate) fn duration(value: &Expr) -> Result<Duration> {
    let refused = || {
        let what = "write a time such as \"1s\" or \"250ms\", or a number of seconds";
        Error::new(value.span(), what)
    };
    match literal(value) {
        Some(Lit::Str(text)) => {
            humantime::parse_duration(&text.value()).map_err(|_refused| refused())
        }
        Some(Lit::Int(seconds)) => Ok(Duration::from_secs(seconds.base10_parse()?)),
        Some(Lit::Float(seconds)) => {
            Duration::try_from_secs_f64(seconds.base10_parse()?).map_err(|_refused| refused())
        }
        _ => Err(refused()),
    }
}

pub(crate) fn literal(value: &Expr) -> Option<&Lit> {
    match value {
        Expr::Lit(literal) => Some(&literal.lit),
        _ => None,
    }
}
