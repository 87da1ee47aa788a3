//! From a function with attributes to the function that runs.
//!
//! From the innermost attribute out, each wraps the body: an injecting one puts the lease before
//! it and the error record after it, monitoring puts it into a watched `async` block, a retry into a
//! loop. `return` and `?` in the body leave the block that is around it, and so end one attempt.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{Error, FnArg, ItemFn, Pat, PatType, Result, ReturnType, Signature, Type, TypeImplTrait};

use crate::arguments::{Arguments, Retry};
use crate::kind::Kind;
use crate::layer::{Layer, take};
use crate::origin::origin;
use crate::repeat::renewals;

pub(crate) fn attribute(kind: Kind, arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand(kind, arguments, item.clone()).unwrap_or_else(|error| {
        // With the function itself, so that its callers are not further errors.
        let error = error.into_compile_error();
        quote!(#error #item)
    })
}

pub(crate) fn expand(kind: Kind, arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut layers = vec![Layer::parse(kind, arguments)?];
    let mut function: ItemFn = syn::parse2(item).map_err(|error| {
        let what = format!("`{}` goes on a function: {error}", kind.name());
        Error::new(error.span(), what)
    })?;
    layers.extend(take(&mut function.attrs)?);
    check(kind, &function.sig)?;
    let parameters = injected(&layers, &mut function.sig)?;
    let renewals = match layers.iter().any(|layer| layer.kind == Kind::Retry) {
        true => renewals(&mut function.sig)?,
        false => Vec::new(),
    };
    let scope = Scope {
        origin: origin(&layers)?,
        name: function.sig.ident.to_string(),
        result: annotation(&function.sig.output),
        renewals,
    };
    let statements = &function.block.stmts;
    let mut body = quote!(#(#statements)*);
    for (layer, parameter) in layers.iter().zip(parameters).rev() {
        body = scope.wrap(layer, parameter.as_ref(), &body);
    }
    let taken = layers.iter().filter_map(|layer| layer.path.as_ref());
    // Else the compiler would say that their imports are not used.
    let used = quote!(#(#[allow(unused_imports)] use #taken as _;)*);
    function.block = syn::parse2(quote!({ #used #body }))?;
    Ok(function.into_token_stream())
}

fn check(kind: Kind, signature: &Signature) -> Result<()> {
    let name = kind.name();
    if signature.asyncness.is_none() {
        let what = format!("`{name}` needs an `async fn`: it waits for the server");
        return Err(Error::new(signature.fn_token.span(), what));
    }
    if matches!(signature.output, ReturnType::Default) {
        let what = format!(
            "`{name}` needs a `Result` to return: there may be no connection. Its error must be \
             `From<ConnectionError>`"
        );
        return Err(Error::new(signature.ident.span(), what));
    }
    Ok(())
}

/// Takes the injected parameters away, the first for the outermost layer that injects.
fn injected(layers: &[Layer], signature: &mut Signature) -> Result<Vec<Option<PatType>>> {
    let place = usize::from(matches!(signature.inputs.first(), Some(FnArg::Receiver(_))));
    let mut inputs: Vec<FnArg> = std::mem::take(&mut signature.inputs).into_iter().collect();
    let mut parameters = Vec::new();
    for layer in layers {
        let Some(wanted) = layer.kind.parameter() else {
            parameters.push(None);
            continue;
        };
        let found = (inputs.len() > place).then(|| inputs.remove(place));
        let Some(FnArg::Typed(parameter)) = found else {
            let what = format!(
                "`{}` gives the function its first parameter: write `{wanted}`",
                layer.kind.name()
            );
            return Err(Error::new(signature.ident.span(), what));
        };
        check_parameter(&parameter, wanted)?;
        parameters.push(Some(parameter));
    }
    signature.inputs = inputs.into_iter().collect();
    Ok(parameters)
}

fn check_parameter(parameter: &PatType, wanted: &str) -> Result<()> {
    let refused = |why: &str| {
        let what = format!("{why}: write `{wanted}`");
        Err(Error::new(parameter.ty.span(), what))
    };
    match &*parameter.ty {
        Type::Reference(reference) if reference.mutability.is_some() => {
            refused("the injected parameter is shared")
        }
        Type::Reference(reference) if reference.lifetime.is_some() => {
            refused("the injected parameter lives as long as the call")
        }
        Type::Reference(_) if matches!(*parameter.pat, Pat::Ident(_) | Pat::Wild(_)) => Ok(()),
        _ => refused("the injected parameter is a reference with a name"),
    }
}

/// The type that the blocks around the body evaluate to; none where it can't be written there.
fn annotation(output: &ReturnType) -> TokenStream {
    struct Impl(bool);
    impl Visit<'_> for Impl {
        fn visit_type_impl_trait(&mut self, _: &TypeImplTrait) {
            self.0 = true;
        }
    }
    let ReturnType::Type(_, ty) = output else {
        return TokenStream::new();
    };
    let mut found = Impl(false);
    found.visit_type(ty);
    match found.0 {
        true => TokenStream::new(),
        false => quote!(: #ty),
    }
}

/// What the layers of one function have in common.
struct Scope {
    origin: TokenStream,
    name: String,
    result: TokenStream,
    renewals: Vec<TokenStream>,
}

impl Scope {
    fn wrap(&self, layer: &Layer, parameter: Option<&PatType>, body: &TokenStream) -> TokenStream {
        let (origin, name) = (&self.origin, &self.name);
        match (layer.kind, parameter) {
            (Kind::Retry, _) => self.repeat(&layer.arguments.retry, body),
            (_, Some(parameter)) => {
                let lease = Ident::new("naq_lease", Span::mixed_site());
                let (pattern, ty) = (&parameter.pat, &parameter.ty);
                let taken = taken(layer.kind, &layer.arguments, origin);
                let rest = self.recorded(&lease, body);
                quote! {
                    let #lease = #taken;
                    let #pattern: #ty = &#lease;
                    #rest
                }
            }
            (_, None) => {
                let (result, ty) = (Ident::new("naq_result", Span::mixed_site()), &self.result);
                let told = self.told();
                // Pinned here: a future that is passed by value takes its room twice.
                quote! {
                    let #result #ty = #origin::monitored(
                        #name,
                        ::core::pin::pin!(async { #told #body })
                    ).await;
                    #result
                }
            }
        }
    }

    /// The body, and after it the error record of its failure. Where the type of its result can't be
    /// written, the body stays outside of a block, and its failure without a record.
    fn recorded(&self, lease: &Ident, body: &TokenStream) -> TokenStream {
        let (result, ty) = (Ident::new("naq_result", Span::mixed_site()), &self.result);
        let Some(told) = self.told() else {
            return body.clone();
        };
        quote! {
            let #result #ty = async { #told #body }.await;
            #lease.recorded(#result)
        }
    }

    /// Tells the compiler what an `async` block returns before it reads the body, which then behaves as
    /// that of a function does: its values are coerced, and mistakes are told where they are.
    fn told(&self) -> Option<TokenStream> {
        let ty = &self.result;
        let told = Ident::new("naq_told", Span::mixed_site());
        (!ty.is_empty()).then(|| {
            quote! {
                #[allow(unreachable_code, clippy::all)]
                if false {
                    let #told #ty = ::core::unreachable!();
                    return #told;
                }
            }
        })
    }

    fn repeat(&self, retry: &Retry, body: &TokenStream) -> TokenStream {
        let (attempts, result, pause) = (
            Ident::new("naq_attempts", Span::mixed_site()),
            Ident::new("naq_result", Span::mixed_site()),
            Ident::new("naq_pause", Span::mixed_site()),
        );
        let (policy, ty, renewals) = (policy(retry, &self.origin), &self.result, &self.renewals);
        let told = self.told();
        quote! {
            let mut #attempts = #policy.attempts();
            loop {
                let #result #ty = async { #told #(#renewals)* #body }.await;
                match #attempts.after(#result) {
                    ::core::ops::ControlFlow::Break(#result) => break #result,
                    ::core::ops::ControlFlow::Continue(#pause) => #pause.await,
                }
            }
        }
    }
}

fn taken(kind: Kind, arguments: &Arguments, origin: &TokenStream) -> TokenStream {
    let profile = arguments.config.iter();
    let profile = quote!(#(.profile(#profile))*);
    match kind {
        Kind::JetStream => quote!(#origin::nats_jetstream()#profile.await?.1),
        Kind::KvStore => {
            let bucket = &arguments.bucket;
            quote!(#origin::nats_kv_store(#bucket)#profile.await?)
        }
        Kind::Connection | Kind::Monitoring | Kind::Retry => {
            quote!(#origin::nats_connection()#profile.await?)
        }
    }
}

fn policy(retry: &Retry, origin: &TokenStream) -> TokenStream {
    let max_retries = retry.max_retries.as_ref();
    let max_retries = max_retries.map_or_else(|| quote!(3), ToTokens::to_token_stream);
    let millis = |time: &std::time::Duration| {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        quote!(::core::time::Duration::from_millis(#millis))
    };
    let delay = retry.delay.iter().map(millis);
    let max_delay = retry.max_delay.iter().map(millis);
    let (factor, jitter) = (retry.factor.iter(), retry.jitter.iter());
    let twice = retry.at_least_once.then(|| quote!(.at_least_once()));
    let when = retry.when.iter();
    quote! {
        #origin::Retry::new(#max_retries)
            #(.delay(#delay))* #(.factor(#factor))* #(.max_delay(#max_delay))*
            #(.jitter(#jitter))* #twice #(.when(#when))*
    }
}
