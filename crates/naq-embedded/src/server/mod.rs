//! One supervised server, as its user sees it: `builder` describes it, `handle` is what the user holds.

mod builder;
mod handle;

pub use builder::Builder;
pub use handle::EmbeddedServer;
