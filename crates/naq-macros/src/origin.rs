//! Where `naq-connection` or `naq-jobs` is for the crate that uses an attribute.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Error, Ident, Path, Result};

use crate::layer::Layer;

/// What an attribute of the function says, or what `Cargo.toml` does.
pub(crate) fn origin(layers: &[Layer]) -> Result<TokenStream> {
    let given = layers
        .iter()
        .find_map(|layer| layer.arguments.origin.as_ref());
    if let Some(path) = given {
        return Ok(quote!(#path));
    }
    if let Ok(found) = crate_name("naq-connection") {
        let name = ident(found, "naq_connection");
        return Ok(quote!(::#name));
    }
    if let Ok(found) = crate_name("naq") {
        let name = ident(found, "naq");
        return Ok(quote!(::#name::connection));
    }
    Err(Error::new(
        Span::call_site(),
        "neither `naq-connection` nor `naq` is in Cargo.toml: add one, or say where it is with \
         `crate = my::path`",
    ))
}

/// Where `naq-jobs` is.
pub(crate) fn jobs_origin(given: Option<&Path>) -> Result<TokenStream> {
    if let Some(path) = given {
        return Ok(quote!(#path));
    }
    for (package, name) in [("naq-jobs", "naq_jobs"), ("naq", "naq")] {
        if let Ok(found) = crate_name(package) {
            let name = ident(found, name);
            return Ok(quote!(::#name));
        }
    }
    Err(Error::new(
        Span::call_site(),
        "neither `naq` nor `naq-jobs` is in Cargo.toml: add one, or say where it is with `crate = my::path`",
    ))
}

/// The tests and examples of a crate know it by its name.
fn ident(found: FoundCrate, itself: &str) -> Ident {
    let name = match &found {
        FoundCrate::Itself => itself,
        FoundCrate::Name(name) => name,
    };
    Ident::new(name, Span::call_site())
}
