//! Where a command's words go: data to standard output, all else to standard error.

mod harmless;
mod numbers;
mod paint;
mod progress;
mod screen;
mod table;

pub(crate) use harmless::harmless;
pub(crate) use numbers::{figure, grouped, latency};
pub(crate) use paint::{ColorChoice, Style};
pub(crate) use screen::Output;
pub(crate) use table::Table;
