//! The command line as a tree, and the way from it to a command.

use std::ffi::OsString;

use clap::{Parser, Subcommand};

use crate::commands::{
    bench, completion, config, connection, dead, demo, dev, enqueue, events, explain, job, kind,
    metrics, queue, result, schedule, system, top, worker, workflow,
};
use crate::context::{Context, Globals};
use crate::error::CliError;
use crate::exit_code;
use crate::output::{ColorChoice, Output};
use crate::traces::Traces;

/// Background jobs on NATS JetStream.
#[derive(Debug, Parser)]
#[command(
    name = "naq",
    version,
    propagate_version = true,
    subcommand_required = true
)]
#[command(arg_required_else_help = true, after_help = exit_code::TABLE)]
pub(crate) struct App {
    #[command(flatten)]
    globals: Globals,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Dev(dev::Args),
    Worker(worker::Args),
    /// List the live workers: the same as `naq worker list`
    ListWorkers(worker::ListArgs),
    Enqueue(Box<enqueue::Args>),
    Job(job::Args),
    JobControl(job::ControlArgs),
    Explain(explain::Args),
    Kind(kind::Args),
    Result(result::Args),
    Queue(queue::Args),
    Top(top::Args),
    /// Remove the jobs of queues that wait: the same as `naq queue purge`
    Purge(queue::PurgeArgs),
    Dead(dead::Args),
    #[command(alias = "scheduler")]
    Schedule(schedule::Args),
    Workflow(workflow::Args),
    /// List the schedules: the same as `naq schedule list`
    ListScheduled(schedule::ListArgs),
    Events(events::Args),
    Metrics(metrics::Args),
    Config(config::Args),
    Connection(connection::Args),
    Bench(bench::Args),
    System(system::Args),
    Completion(completion::Args),
}

/// Runs one command line and says its exit code.
pub(crate) fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    let as_json = wants_json(&args);
    let App { globals, command } = match App::try_parse_from(args) {
        Ok(app) => app,
        Err(error) => return not_understood(&error, as_json),
    };
    let context = Context::new(globals);
    match start(&context, command) {
        Ok(()) => exit_code::OK,
        Err(error) => {
            context.output.error(&error, as_json);
            error.code
        }
    }
}

/// Whether a program reads what is said: errors are for it, too, also those of a line that cannot be parsed.
fn wants_json(args: &[OsString]) -> bool {
    args.iter()
        .take_while(|arg| *arg != "--")
        .any(|arg| arg == "--json")
}

/// Says what is wrong with the line, or shows the help that it asks for.
fn not_understood(error: &clap::Error, as_json: bool) -> u8 {
    if !error.use_stderr() {
        // A stream that is gone takes nothing away from the exit code.
        let _ignored = error.print();
        return exit_code::OK;
    }
    if as_json {
        let text = error.render().to_string();
        let text = text.trim().trim_start_matches("error: ");
        Output::new(ColorChoice::Never).error(&CliError::usage(text), true);
    } else {
        let _ignored = error.print();
    }
    exit_code::USAGE
}

fn start(context: &Context, command: Command) -> Result<(), CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            CliError::new(exit_code::INTERNAL, "failed to start the runtime").because(&error)
        })?;
    let traces = Traces::start(&context.output);
    let done = runtime.block_on(dispatch(context, command));
    traces.end();
    // Nobody waits for a read of standard input that never ends.
    runtime.shutdown_background();
    done
}

async fn dispatch(context: &Context, command: Command) -> Result<(), CliError> {
    match command {
        Command::Demo(args) => Box::pin(demo::run(context, args)).await,
        Command::Dev(args) => Box::pin(dev::run(context, args)).await,
        Command::Worker(args) => Box::pin(worker::run(context, args)).await,
        Command::ListWorkers(args) => Box::pin(worker::list(context, args)).await,
        Command::Enqueue(args) => Box::pin(enqueue::run(context, *args)).await,
        Command::Kind(args) => Box::pin(kind::run(context, args)).await,
        Command::Job(args) => Box::pin(job::run(context, args)).await,
        Command::JobControl(args) => Box::pin(job::control(context, args)).await,
        Command::Explain(args) => Box::pin(explain::run(context, args)).await,
        Command::Queue(args) => Box::pin(queue::run(context, args)).await,
        Command::Top(args) => Box::pin(top::run(context, args)).await,
        Command::Purge(args) => Box::pin(queue::run_purge(context, args)).await,
        Command::Result(args) => Box::pin(result::run(context, args)).await,
        Command::Dead(args) => Box::pin(dead::run(context, args)).await,
        Command::Schedule(args) => Box::pin(schedule::run(context, args)).await,
        Command::Workflow(args) => Box::pin(workflow::run(context, args)).await,
        Command::ListScheduled(args) => Box::pin(schedule::list(context, args)).await,
        Command::Metrics(args) => Box::pin(metrics::run(context, args)).await,
        Command::Events(args) => Box::pin(events::run(context, args)).await,
        Command::Bench(args) => Box::pin(bench::run(context, args)).await,
        Command::Config(args) => config::run(context, args),
        Command::Connection(args) => Box::pin(connection::run(context, args)).await,
        Command::System(args) => Box::pin(system::run(context, args)).await,
        Command::Completion(args) => completion::run::<App>(context, args),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_tree_is_sound() {
        App::command().debug_assert();
    }

    #[test]
    fn worker_takes_queues_or_a_subcommand() {
        for line in [
            "naq worker",
            "naq worker mail reports -c 4 -n w",
            "naq worker list",
            "naq worker start mail -c 4",
            "naq scheduler list",
            "naq system config-init",
            "naq job purge mail --dry-run",
            "naq job control nightly reschedule --interval 1h",
            "naq worker list --json",
            "naq worker -- list",
        ] {
            let parsed = App::try_parse_from(line.split(' '));
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
    }
}
