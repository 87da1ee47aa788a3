//! From the name of a row to its measurement.

use indicatif::ProgressBar;

use super::args::{Plan, RowName};
use super::row::Row;
use super::stage::Stage;
use super::{drain, enqueue, events, idle, latency, memory, scale, workers};
use crate::context::Context;
use crate::error::CliError;

impl RowName {
    /// The name, as it is written.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::EnqueueOne => "enqueue_one",
            Self::EnqueueBulk => "enqueue_bulk",
            Self::DrainPlain => "drain_plain",
            Self::DrainResult => "drain_result",
            Self::Latency => "latency",
            Self::Idle => "idle",
            Self::Memory => "memory",
            Self::Scale => "scale",
            Self::Workers => "workers",
            Self::Events => "events",
        }
    }

    /// Measures it.
    pub(super) async fn measure(
        self,
        context: &Context,
        stage: &Stage,
        plan: Plan,
        bar: &ProgressBar,
    ) -> Result<Row, CliError> {
        match self {
            Self::EnqueueOne => Box::pin(enqueue::one(stage, plan)).await,
            Self::EnqueueBulk => Box::pin(enqueue::bulk(stage, plan)).await,
            Self::DrainPlain => Box::pin(drain::plain(stage, plan)).await,
            Self::DrainResult => Box::pin(drain::result(stage, plan)).await,
            Self::Latency => Box::pin(latency::row(stage, plan)).await,
            Self::Idle => Box::pin(idle::row(context, stage, plan)).await,
            Self::Memory => Box::pin(memory::row(context, stage, plan)).await,
            Self::Scale => Box::pin(scale::row(stage, plan, bar)).await,
            Self::Workers => Box::pin(workers::row(context, stage, plan)).await,
            Self::Events => Box::pin(events::row(stage, plan)).await,
        }
    }
}
