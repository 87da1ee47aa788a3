//! The attributes of `naq-connection`, which exports them: use them from there, or from `naq`.
//!
//! An attribute takes the lease, and the first parameter of the function (after `self`) is what it
//! got; callers don't pass it. An example is at the head of `naq-connection`.
//!
//! The upper attribute is around the lower one: above, each retry takes a lease of its own and is
//! watched by itself. Of several that inject, the upper one gives the first parameter.
//!
//! * They go on `async` functions and methods, free or generic, that return a `Result` whose error
//!   is `From<ConnectionError>` and borrows nothing.
//! * A failure of `naq-connection` in the body is one error record, as in a closure. There is none for
//!   a function that returns an `impl Trait`.
//! * `config = "billing"` takes the profile of that name, `crate = my::path` says where
//!   `naq-connection` is if it can't be found in `Cargo.toml`.
//! * To find each other they must have their own names: don't import one `as` another.

mod arguments;
mod expand;
#[cfg(test)]
mod golden;
mod job;
mod kind;
mod layer;
mod origin;
mod repeat;

use proc_macro::TokenStream;

use crate::expand::attribute;
use crate::kind::Kind;

/// Gives the function a lease: its first parameter is a `&Connection`.
///
/// Options: `config = "profile"`, `crate = path`. See the [crate].
#[proc_macro_attribute]
pub fn with_nats_connection(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute(Kind::Connection, arguments.into(), item.into()).into()
}

/// Gives the function JetStream: its first parameter is a `&JetStream`.
///
/// Options: `config = "profile"`, `crate = path`. See the [crate].
#[proc_macro_attribute]
pub fn with_jetstream_context(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute(Kind::JetStream, arguments.into(), item.into()).into()
}

/// Gives the function a bucket: its first parameter is a `&KvStore`.
///
/// The name comes first: `#[with_kv_store("status")]`, or a constant. Options: `config = "profile"`,
/// `crate = path`. See the [crate].
#[proc_macro_attribute]
pub fn with_kv_store(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute(Kind::KvStore, arguments.into(), item.into()).into()
}

/// Watches each call, under the name of the function.
///
/// Options: `crate = path`. See the [crate].
#[proc_macro_attribute]
pub fn with_connection_monitoring(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute(Kind::Monitoring, arguments.into(), item.into()).into()
}

/// Runs the function again when it fails for a reason that can pass.
///
/// Options, with their defaults: `max_retries = 3`, `retry_delay = "1s"` (or seconds: `1.0`),
/// `backoff_factor = 2.0`, `max_delay = "30s"`, `jitter = true`, `at_least_once = false` (also
/// retries what may have had its effect), `when = path::to::decide` (of type `fn(&Error) -> bool`,
/// instead of the error's own `Retryable`), `crate = path`.
///
/// Each attempt has its own clones of what is passed by value; references are passed again. See the
/// [crate].
#[proc_macro_attribute]
pub fn retry_on_connection_failure(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute(Kind::Retry, arguments.into(), item.into()).into()
}

/// Makes a function the handler of a kind of job: the name of the function is then that of the kind, of its jobs, and of
/// what a worker registers.
///
/// ```text
/// #[naq::job(queue = "mail", retries = 5, timeout = "30s")]
/// async fn send(ctx: &JobContext, to: String, subject: String) -> Result<Receipt, MailError> { .. }
///
/// jobs.enqueue(send::job("ada@example.org".into(), "Hello".into())?).await?;
/// jobs.worker().register(send).start().await?;
/// ```
///
/// Options: `kind = "mail.send"` (default: the function's name), `queue`, `retries = 0`, `timeout = "30s"`, `version = 1`,
/// `discard_result = false`, `crate = path`.
///
/// Parameters of the types `JobContext`, `&JobContext` and `State<T>`, and those marked `#[from_job]`, come from the worker; the
/// others are the arguments. One argument is the payload itself; several are a JSON object with their names. A function
/// that is not `async` runs on a thread of the worker's own, where it may block.
#[proc_macro_attribute]
pub fn job(arguments: TokenStream, item: TokenStream) -> TokenStream {
    job::attribute(arguments.into(), item.into()).into()
}
