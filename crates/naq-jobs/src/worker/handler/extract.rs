//! What a handler may ask for before its arguments.

use super::JobError;
use super::state::{Need, State};
use crate::worker::JobContext;

/// A parameter that a handler gets from the worker, not from the payload: [`JobContext`], [`State`], or a type of your own.
///
/// ```
/// use naq_jobs::{FromJob, JobContext, JobError};
///
/// /// The customer that a job is for, as the sender's header says.
/// struct Customer(String);
///
/// impl FromJob for Customer {
///     fn from_job(context: &JobContext) -> Result<Self, JobError> {
///         let header = context.headers().get("Customer");
///         let header = header.ok_or_else(|| JobError::fatal(JobError::message("no customer")))?;
///         Ok(Self(header.to_string()))
///     }
/// }
/// # drop(Customer(String::new()).0);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is nothing that a handler can get from the worker",
    note = "a handler takes `JobContext`, `State<T>` or other `FromJob` types first, then the arguments of its kind"
)]
pub trait FromJob: Sized {
    /// Makes the parameter for one attempt.
    ///
    /// # Errors
    /// The attempt fails with this error.
    fn from_job(context: &JobContext) -> Result<Self, JobError>;

    /// The state that it needs; looked for when the worker starts.
    #[doc(hidden)]
    fn need() -> Option<Need> {
        None
    }
}

impl FromJob for JobContext {
    fn from_job(context: &JobContext) -> Result<Self, JobError> {
        Ok(context.clone())
    }
}

impl<T: Clone + Send + Sync + 'static> FromJob for State<T> {
    fn from_job(context: &JobContext) -> Result<Self, JobError> {
        let found = context.states().get().map(Self);
        found.ok_or_else(|| {
            let name = std::any::type_name::<T>();
            JobError::message(format!("the worker has no state {name}: add `.state(..)`"))
        })
    }

    fn need() -> Option<Need> {
        Some(Need::of::<T>())
    }
}
