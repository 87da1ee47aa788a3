//! Which parameters come from the worker, and which are the arguments of the job.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{Error, FnArg, Pat, PatType, Result, Signature, Type};

/// The parameters of a job's function.
pub(super) struct Parameters {
    /// Of the closure that is registered: a name and its type, for what comes from the worker.
    pub(super) extracted: Vec<(Ident, Type)>,
    /// The arguments of the job.
    pub(super) arguments: Vec<(Ident, Type)>,
    /// What the function is called with, in its order.
    pub(super) passed: Vec<TokenStream>,
}

/// Sorts the parameters, and takes our marks off them.
pub(super) fn sort(signature: &mut Signature) -> Result<Parameters> {
    let mut sorted = Parameters {
        extracted: Vec::new(),
        arguments: Vec::new(),
        passed: Vec::new(),
    };
    for parameter in &mut signature.inputs {
        match parameter {
            FnArg::Receiver(receiver) => {
                let what = "a job is a free function: state comes as `State<T>`";
                return Err(Error::new(receiver.span(), what));
            }
            FnArg::Typed(typed) => sorted.add(typed)?,
        }
    }
    Ok(sorted)
}

impl Parameters {
    fn add(&mut self, typed: &mut PatType) -> Result<()> {
        let before = typed.attrs.len();
        typed.attrs.retain(|mark| !mark.path().is_ident("from_job"));
        let is_marked = typed.attrs.len() < before;
        let (inner, is_reference) = match &*typed.ty {
            Type::Reference(reference) => ((*reference.elem).clone(), true),
            other => (other.clone(), false),
        };
        if is_marked || is_named(&inner, "JobContext") || is_named(&inner, "State") {
            let name = format_ident!("__naq_from_worker_{}", self.extracted.len());
            self.passed.push(if is_reference {
                quote!(&#name)
            } else {
                quote!(#name)
            });
            self.extracted.push((name, inner));
            return Ok(());
        }
        if is_reference {
            let what = "an argument of a job is owned, since it comes from the wire: write `String`, not `&str`";
            return Err(Error::new(typed.ty.span(), what));
        }
        let Pat::Ident(pattern) = &*typed.pat else {
            let what = "an argument of a job needs a name: that is its name on the wire";
            return Err(Error::new(typed.pat.span(), what));
        };
        let name = pattern.ident.clone();
        self.passed.push(quote!(#name));
        self.arguments.push((name, inner));
        Ok(())
    }
}

fn is_named(ty: &Type, name: &str) -> bool {
    let Type::Path(path) = ty else {
        return false;
    };
    let last = path.path.segments.last();
    last.is_some_and(|last| last.ident == name)
}
