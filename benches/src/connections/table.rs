//! Runs the rows one after the other and prints them.

use super::throughput::{self, Work};
use super::{acquire, cold_connect, cold_start, lame_duck, moves, recovery, shutdown};
use crate::Outcome;
use crate::args::{Options, RowName};
use crate::progress::Progress;
use crate::report::{self, Row};
use crate::rig::{Rig, raise_file_limit};

/// False if a target was missed and that was to be checked.
pub(crate) async fn run(options: &Options) -> Outcome<bool> {
    raise_file_limit();
    let progress = Progress::new();
    let rig = Rig::start().await?;
    let rows = measure(&rig, options, &progress).await;
    progress.end();
    rig.server.stop().await?;
    let rows = rows?;
    if options.json {
        println!("{}", report::json(&rows));
    } else {
        println!("{}", report::table(&rows));
    }
    Ok(!options.check || rows.iter().all(Row::met))
}

async fn measure(rig: &Rig, options: &Options, progress: &Progress) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    if options.wants(RowName::Acquire) {
        rows.push(acquire::row(rig, options, progress).await?);
    }
    if options.wants(RowName::PublishFlush64) {
        rows.push(throughput::row(Work::PublishFlush, rig, options, progress).await?);
    }
    if options.wants(RowName::RoundTrip64) {
        rows.push(throughput::row(Work::RoundTrip, rig, options, progress).await?);
    }
    if options.wants(RowName::ColdStart1000) {
        rows.push(cold_start::row(rig, options, progress).await?);
    }
    if options.wants(RowName::ColdConnect) {
        rows.push(cold_connect::row(rig, options, progress).await?);
    }
    if options.wants(RowName::Recovery200) {
        rows.push(recovery::row(rig, options, progress).await?);
    }
    if options.wants(RowName::LameDuck) {
        rows.push(lame_duck::row(progress).await?);
    }
    if options.wants(RowName::ShutdownBacklog) {
        rows.push(shutdown::row(rig, options, progress).await?);
    }
    if options.wants(RowName::Moves) {
        rows.push(moves::row(options, progress).await?);
    }
    Ok(rows)
}
