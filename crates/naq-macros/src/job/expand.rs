//! From a function to a type of the same name: its kind, its jobs, its registration.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{Error, ItemFn, Result, ReturnType, Signature, Type};

use super::options::Options;
use super::parameters::{Parameters, sort};
use crate::origin::jobs_origin;

pub(crate) fn attribute(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand(arguments, item.clone()).unwrap_or_else(|error| {
        // With the function itself, so that its callers are not further errors.
        let error = error.into_compile_error();
        quote!(#error #item)
    })
}

/// What the parts of the expansion need.
struct Parts {
    naq: TokenStream,
    name: Ident,
    /// The type of the payload, and the type that is made for it if there are several arguments.
    payload: (TokenStream, Option<Ident>),
    returned: Type,
    parameters: Parameters,
    is_async: bool,
}

fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let options = Options::parse(arguments)?;
    let mut function: ItemFn = syn::parse2(item)
        .map_err(|error| Error::new(error.span(), format!("`job` goes on a function: {error}")))?;
    let returned = check(&function.sig)?;
    let parameters = sort(&mut function.sig)?;
    let name = function.sig.ident.clone();
    let parts = Parts {
        naq: jobs_origin(options.origin.as_ref())?,
        payload: payload(&name, &parameters),
        returned,
        parameters,
        is_async: function.sig.asyncness.is_some(),
        name,
    };
    let kind = match &options.kind {
        Some(kind) => quote!(#kind),
        None => {
            let text = parts.name.to_string();
            quote!(#text)
        }
    };
    let calls = options.calls();
    let attributes = std::mem::take(&mut function.attrs);
    let visibility = function.vis.clone();
    function.sig.ident = Ident::new("run", function.sig.ident.span());
    let (made, job, register) = (parts.made(), parts.job(), parts.register());
    let Parts {
        naq,
        name,
        returned,
        payload: (payload, _),
        ..
    } = &parts;
    function.vis = syn::parse_quote!(pub);
    Ok(quote! {
        #(#attributes)*
        #[allow(non_camel_case_types, reason = "it has the name of the function")]
        #[derive(Debug, Clone, Copy)]
        #visibility struct #name;

        #made

        #[allow(dead_code, reason = "a program may only enqueue or only run these jobs")]
        impl #name {
            /// The kind of these jobs.
            pub const KIND: #naq::Kind<#payload, <#returned as #naq::Returned>::Value> =
                #naq::Kind::new(#kind) #calls;

            #job

            /// The function itself: runs it here and now.
            #function
        }

        #register
    })
}

/// What the function returns, if it can be one of a job.
fn check(signature: &Signature) -> Result<Type> {
    if !signature.generics.params.is_empty() {
        let what =
            "a job's function has no generic parameters: the worker has to know what it runs";
        return Err(Error::new(signature.generics.span(), what));
    }
    match &signature.output {
        ReturnType::Type(_, ty) if !matches!(**ty, Type::ImplTrait(_)) => Ok((**ty).clone()),
        _ => {
            let what = "a job returns a `Result`: write `-> Result<(), JobError>`";
            Err(Error::new(signature.fn_token.span(), what))
        }
    }
}

fn payload(name: &Ident, parameters: &Parameters) -> (TokenStream, Option<Ident>) {
    match parameters.arguments.as_slice() {
        [] => (quote!(()), None),
        [(_, ty)] => (quote!(#ty), None),
        _ => {
            let made = format_ident!("__naq_arguments_of_{name}");
            (quote!(#made), Some(made))
        }
    }
}

impl Parts {
    /// The type of several arguments.
    fn made(&self) -> Option<TokenStream> {
        let (naq, name) = (&self.naq, self.payload.1.as_ref()?);
        let serde = quote!(#naq::serde).to_string().replace(' ', "");
        let fields = self
            .parameters
            .arguments
            .iter()
            .map(|(name, ty)| quote!(#name: #ty));
        Some(quote! {
            #[doc(hidden)]
            #[allow(non_camel_case_types, missing_docs, missing_debug_implementations, reason = "it stands for the arguments")]
            #[derive(#naq::serde::Serialize, #naq::serde::Deserialize)]
            #[serde(crate = #serde)]
            pub struct #name { #(#fields),* }
        })
    }

    /// The arguments as the payload, and the payload taken apart.
    fn forms(&self) -> (TokenStream, TokenStream) {
        let names: Vec<_> = self
            .parameters
            .arguments
            .iter()
            .map(|(name, _)| name)
            .collect();
        match (&self.payload.1, names.as_slice()) {
            (Some(made), names) => (quote!(#made { #(#names),* }), quote!(#made { #(#names),* })),
            (None, [name]) => (quote!(#name), quote!(#name)),
            (None, _) => (quote!(()), quote!(())),
        }
    }

    /// The function that makes a job.
    fn job(&self) -> TokenStream {
        let Self {
            naq,
            returned,
            parameters,
            ..
        } = self;
        let parameters = parameters
            .arguments
            .iter()
            .map(|(name, ty)| quote!(#name: #ty));
        let (payload, _) = self.forms();
        quote! {
            /// A job with these arguments.
            ///
            /// # Errors
            /// They have no JSON form, or the kind or queue has an impossible name. A retry does not help.
            pub fn job(#(#parameters),*)
                -> ::core::result::Result<#naq::Job<<#returned as #naq::Returned>::Value>, #naq::JobsError>
            {
                Self::KIND.job(&#payload)
            }
        }
    }

    fn register(&self) -> TokenStream {
        let Self {
            naq,
            name,
            payload: (payload, _),
            parameters,
            ..
        } = self;
        let (_, taken) = self.forms();
        let passed = &parameters.passed;
        let (values, types): (Vec<_>, Vec<_>) = parameters.extracted.iter().cloned().unzip();
        let handled = if self.is_async {
            quote! {
                worker.handle(Self::KIND, |#(#values: #types,)* __naq_payload: #payload| async move {
                    let #taken = __naq_payload;
                    Self::run(#(#passed),*).await
                })
            }
        } else {
            quote! {
                worker.handle_blocking(Self::KIND, |__naq_context: #naq::JobContext, __naq_payload: #payload| {
                    #(let #values = <#types as #naq::FromJob>::from_job(&__naq_context)?;)*
                    let #taken = __naq_payload;
                    Self::run(#(#passed),*).map_err(::core::convert::Into::<#naq::JobError>::into)
                })
            }
        };
        quote! {
            impl #naq::JobFunction for #name {
                fn register(self, worker: #naq::Worker) -> #naq::Worker {
                    #handled
                }
            }
        }
    }
}
