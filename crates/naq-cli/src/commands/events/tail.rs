//! `naq events tail`.

use naq::{EventFilter, Jobs};

use super::filter::Filter;
use super::format::{Format, print};
use crate::context::Context;
use crate::error::CliError;
use crate::signals::Signals;

/// Show the last events, and those that come
///
/// Ends with Ctrl-C. Nothing is missed over a lost connection.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    filter: Filter,

    #[command(flatten)]
    view: View,
}

/// What is shown of the events that are wanted.
#[derive(Debug, clap::Args)]
pub(super) struct View {
    /// Show so many of the last events first, if they are among the last 2,000 messages
    #[arg(long, value_name = "N", default_value = "10")]
    tail: usize,

    /// Go on with the events that come (the default)
    #[arg(long, overrides_with = "no_follow")]
    follow: bool,

    /// End after the last events
    #[arg(long, overrides_with = "follow")]
    no_follow: bool,

    /// How they are printed
    #[arg(short, long, default_value = "table")]
    format: Format,
}

pub(super) async fn run(context: &Context, jobs: &Jobs, args: Args) -> Result<(), CliError> {
    show(context, jobs, EventFilter::from(args.filter), &args.view).await
}

pub(super) async fn show(
    context: &Context,
    jobs: &Jobs,
    filter: EventFilter,
    view: &View,
) -> Result<(), CliError> {
    let signals = Signals::listen()?;
    let events = jobs.events();
    // Opened first, so that nothing falls between the two.
    let live = match view.no_follow {
        true => None,
        false => Some(Box::pin(events.live(filter.clone())).await?),
    };
    let mut seen = 0;
    if view.tail > 0 {
        for event in Box::pin(events.recent(view.tail, filter)).await? {
            seen = event.sequence;
            print(context, view.format, &event)?;
        }
    }
    let Some(mut live) = live else {
        return Ok(());
    };
    loop {
        let next = tokio::select! {
            () = signals.token().cancelled() => return Ok(()),
            next = live.next() => next?,
        };
        match next {
            Some(event) if event.sequence > seen => print(context, view.format, &event)?,
            Some(_) => {}
            None => return Ok(()),
        }
    }
}
