//! Both sides again, on streams of their own, for one case of a row.

use naq::Jobs;

use super::leaders;
use super::raw::Raw;
use super::stage::Stage;
use crate::context::connect;
use crate::error::CliError;

/// What is added to the prefix of the raw client's streams.
const RAW: &str = "raw";

/// Both sides of a case.
#[derive(Debug)]
pub(super) struct Sides {
    case: String,
    pub(super) naq: Jobs,
    pub(super) raw: Raw,
    /// Keeps the streams of the raw client.
    pub(super) raw_jobs: Jobs,
}

impl Sides {
    /// Makes the streams of `case`.
    pub(super) async fn open(stage: &Stage, case: &str) -> Result<Self, CliError> {
        let naq = Box::pin(connect(stage.settings_of(case))).await?;
        let settings = stage.settings_of(&format!("{case}_{RAW}"));
        let prefix = settings.queues.prefix.clone();
        let raw_jobs = Box::pin(connect(settings)).await?;
        leaders::gather(stage).await?;
        Ok(Self {
            case: case.to_owned(),
            naq,
            raw: Raw::over(&raw_jobs, prefix, stage).await?,
            raw_jobs,
        })
    }

    /// Removes them, those of the raw client, too: their prefix begins alike.
    pub(super) async fn close(self, stage: &Stage) -> Result<(), CliError> {
        self.naq.shutdown().await;
        self.raw_jobs.shutdown().await;
        stage.remove(&self.case).await
    }
}
