//! `#[naq::job]`: a function as the handler of a kind.

mod expand;
mod options;
mod parameters;

pub(crate) use expand::attribute;
