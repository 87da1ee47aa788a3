//! The flags that say when a schedule fires.

use std::time::{Duration, SystemTime};

use naq::{CatchUp, Dst, Overlap, ScheduleChange};

use crate::commands::enqueue::moment;
use crate::duration::{parse, parse_positive};
use crate::error::CliError;

/// When a schedule fires, and what happens if it cannot.
#[derive(Debug, clap::Args)]
pub(super) struct PlanFlags {
    /// Five fields (minute, hour, day of month, month, day of week), six with seconds first, or a name like @daily
    #[arg(short, long, value_name = "EXPRESSION", conflicts_with = "every")]
    cron: Option<String>,

    /// Each so much time, in whole seconds, or from 50ms on below one second
    #[arg(short, long, value_name = "TIME", value_parser = parse_positive)]
    #[arg(visible_alias = "interval")]
    every: Option<Duration>,

    /// The time zone of --cron, a name of the IANA database [default: UTC]
    #[arg(short, long, value_name = "ZONE")]
    zone: Option<String>,

    /// Times that the clock skips and repeats in spring and autumn [default: once]
    #[arg(long, value_name = "POLICY")]
    dst: Option<DstFlag>,

    /// Do not fire before this moment, RFC 3339
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    start: Option<SystemTime>,

    /// Do not fire after this moment, RFC 3339
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    end: Option<SystemTime>,

    /// Make so many jobs, then end [default: no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    repeat: Option<u64>,

    /// Fire up to so much later, always the same for the same instant
    #[arg(long, value_name = "TIME", value_parser = parse)]
    jitter: Option<Duration>,

    /// Firings that were missed: run none, one for all, or all of them [default: one]
    #[arg(long, value_name = "POLICY")]
    catch_up: Option<CatchUpFlag>,

    /// With `--catch-up all`: at most so many, the newest
    #[arg(long, value_name = "N", default_value = "100")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=100))]
    catch_up_most: u16,

    /// With `--catch-up all`: only those that are not older
    #[arg(long, value_name = "TIME", value_parser = parse_positive, default_value = "1day")]
    catch_up_within: Duration,

    /// A firing while the last job still runs: run beside it, leave it out, or keep one back [default: allow]
    #[arg(long, value_name = "POLICY")]
    overlap: Option<OverlapFlag>,
}

/// The words of `--dst`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum DstFlag {
    /// A skipped time does not fire, a repeated one fires in its first pass
    Skip,
    /// A skipped time fires when the gap ends, a repeated one in its first pass
    Once,
    /// A skipped time fires when the gap ends, a repeated one in both passes
    Twice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum CatchUpFlag {
    /// Leave them out
    None,
    /// All of them together run once
    One,
    /// Run them, the oldest first
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum OverlapFlag {
    /// Run beside it
    Allow,
    /// Leave it out
    Skip,
    /// Keep it back until the last job has ended; one at a time
    Queue,
}

impl From<DstFlag> for Dst {
    fn from(flag: DstFlag) -> Self {
        match flag {
            DstFlag::Skip => Self::Skip,
            DstFlag::Once => Self::Once,
            DstFlag::Twice => Self::Twice,
        }
    }
}

impl PlanFlags {
    /// What was asked for.
    pub(super) fn plan(self) -> ScheduleChange {
        let mut plan = ScheduleChange::new();
        if let Some(cron) = self.cron {
            plan = plan.cron(cron);
        }
        if let Some(interval) = self.every {
            plan = plan.every(interval);
        }
        if let Some(zone) = self.zone {
            plan = plan.zone(zone);
        }
        if let Some(dst) = self.dst {
            plan = plan.dst(dst.into());
        }
        if let Some(start) = self.start {
            plan = plan.start(start);
        }
        if let Some(end) = self.end {
            plan = plan.end(end);
        }
        if let Some(repeat) = self.repeat {
            plan = plan.repeat(repeat);
        }
        if let Some(jitter) = self.jitter {
            plan = plan.jitter(jitter);
        }
        match self.overlap {
            Some(OverlapFlag::Allow) => plan = plan.overlap(Overlap::Allow),
            Some(OverlapFlag::Skip) => plan = plan.overlap(Overlap::Skip),
            Some(OverlapFlag::Queue) => plan = plan.overlap(Overlap::Queue),
            None => {}
        }
        match self.catch_up {
            Some(CatchUpFlag::None) => plan.catch_up(CatchUp::None),
            Some(CatchUpFlag::One) => plan.catch_up(CatchUp::One),
            Some(CatchUpFlag::All) => plan.catch_up(CatchUp::All {
                most: self.catch_up_most,
                within: self.catch_up_within,
            }),
            None => plan,
        }
    }

    /// As [`Self::plan`]; refuses a plan that says nothing.
    pub(super) fn some_plan(self) -> Result<ScheduleChange, CliError> {
        let plan = self.plan();
        if plan == ScheduleChange::new() {
            return Err(CliError::usage("nothing is to be changed")
                .hint("say what, as with --cron, --every, --zone or --repeat"));
        }
        Ok(plan)
    }
}
