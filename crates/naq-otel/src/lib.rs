//! OpenTelemetry traces of NAQ's jobs, and their export by OTLP.
//!
//! A span for each enqueue, attempt, firing of a schedule, submitted workflow and requeue, by the conventions for
//! messaging; one trace from who asked for a job to how it ended. The design is in `docs/design/0011-traces.md`.
//!
//! | a program that | calls |
//! |---|---|
//! | has an OpenTelemetry pipeline | [`install`], after it has set its provider |
//! | has none | [`Export::from_environment`], and [`Export::shutdown`] at its end |

mod client;
mod conventions;
mod environment;
mod export;
mod tracer;
mod watched;

pub use environment::ExportError;
pub use export::Export;
pub use tracer::install;
