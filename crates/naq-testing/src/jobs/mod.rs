//! Jobs in a user's tests.

mod expected;
mod test_jobs;

pub use expected::Expected;
pub use test_jobs::TestJobs;

/// Asserts that jobs of a kind are enqueued: waiting, running, or due later. The first argument is a `TestJobs`.
///
/// ```
/// # use naq_jobs::Kind;
/// # use naq_testing::{TestJobs, assert_enqueued};
/// const GREET: Kind<String, ()> = Kind::new("greet").queue("mail");
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), naq_jobs::JobsError> {
/// let jobs = TestJobs::start().await;
/// assert_enqueued!(jobs, GREET, count = 0);
/// jobs.enqueue(GREET.job(&"Ada".to_owned())?).await?;
/// assert_enqueued!(jobs, GREET);
/// assert_enqueued!(jobs, GREET, args = "Ada", queue = "mail", count = 1);
/// # jobs.stop().await;
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! assert_enqueued {
    ($jobs:expr, $kind:expr $(, $what:ident = $value:expr)* $(,)?) => {
        $jobs
            .assert_enqueued($crate::Expected::of($kind)$(.$what($value))*)
            .await
    };
}
