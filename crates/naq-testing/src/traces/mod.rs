//! A collector of traces: takes OTLP over HTTP, as real ones do, and shows what it got.

mod collector;
mod span;
mod tree;

pub use collector::TraceCollector;
pub use span::CollectedSpan;
pub use tree::tree;
