//! Parameters that each attempt of a retry needs anew.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, FnArg, Pat, Receiver, ReceiverKind, Result, Signature, Type};

/// What an attempt begins with. Changes `signature` where a parameter must have a name.
pub(crate) fn renewals(signature: &mut Signature) -> Result<Vec<TokenStream>> {
    let mut renewals = Vec::new();
    for (n, parameter) in signature.inputs.iter_mut().enumerate() {
        match parameter {
            FnArg::Receiver(receiver) => check(receiver)?,
            FnArg::Typed(typed) => renewals.extend(renewal(n, &mut typed.pat, &typed.ty)),
        }
    }
    Ok(renewals)
}

fn check(receiver: &Receiver) -> Result<()> {
    if !matches!(receiver.kind, ReceiverKind::Value) {
        return Ok(());
    }
    Err(Error::new(
        receiver.self_token.span(),
        "a retry needs `self` more than once: take `&self` or `&mut self`",
    ))
}

fn renewal(n: usize, pattern: &mut Pat, ty: &Type) -> Option<TokenStream> {
    let inner = pattern.clone();
    let (name, inner) = match inner {
        Pat::Ident(mut ident) if ident.by_ref.is_none() && ident.subpat.is_none() => {
            let mutable = ident.mutability.take();
            let name = ident.ident.clone();
            *pattern = Pat::Ident(ident);
            (name.clone(), quote!(#mutable #name))
        }
        Pat::Wild(_) => return None,
        other => {
            let name = format_ident!("__naq_argument_{n}");
            *pattern = syn::parse_quote!(#name);
            (name, quote!(#other))
        }
    };
    match ty {
        // A reference can be used again; to say so would move nothing.
        Type::Reference(reference) if reference.mutability.is_none() && is_plain(&inner, &name) => {
            None
        }
        Type::Reference(reference) if reference.mutability.is_some() => {
            Some(quote!(let #inner = &mut *#name;))
        }
        // At the parameter, where the compiler is to say that it is no `Clone`.
        _ => Some(quote_spanned! {ty.span()=>
            let #inner = ::core::clone::Clone::clone(&#name);
        }),
    }
}

fn is_plain(inner: &TokenStream, name: &syn::Ident) -> bool {
    *name == inner.to_string()
}
