//! `naq system`: the program, the server and the configuration, under the names of the original; and what is to be cleaned up.

use std::time::Duration;

use clap::Subcommand;
use serde_json::json;

use super::{config, connection};
use crate::context::Context;
use crate::duration::parse;
use crate::error::CliError;
use crate::logging::{self, Level};

/// Version, health, configuration, and cleaning up
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Version(VersionArgs),
    /// Connect and ask once: the same as `naq connection test`
    Health(connection::TestArgs),
    Config(config::ShowOrCheckArgs),
    /// Write a configuration file: the same as `naq config init`
    ConfigInit(config::InitArgs),
    Sweep(SweepArgs),
}

/// Remove large payloads that no job and no dead letter refers to
#[derive(Debug, clap::Args)]
#[command(after_help = "\
They are left by a sender that died before its job was stored, and by dead letters that were dropped for their age. Run it now and
then, as from cron; it can be stopped and called again.

Example:
  naq system sweep --dry-run")]
struct SweepArgs {
    /// Only what is older: it keeps what is being enqueued right now
    #[arg(long, value_name = "TIME", value_parser = parse, default_value = "1day")]
    older_than: Duration,

    /// Count, and remove nothing
    #[arg(long)]
    dry_run: bool,

    /// Print JSON: `{"objects", "orphans", "chunks", "foreign", "dry_run"}`
    #[arg(long)]
    json: bool,
}

/// Print the version of this program, and the oldest server that it works with
#[derive(Debug, clap::Args)]
struct VersionArgs {
    /// Print JSON: `{"version", "minimum_server"}`
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    match args.action {
        Action::Version(args) => version(context, &args),
        Action::Health(args) => {
            context.start_logging(Level::Warn, logging::ERRORS_ARE_SHOWN);
            connection::test(context, &args).await
        }
        Action::Config(args) => config::show_or_check(context, &args),
        Action::ConfigInit(args) => config::init(context, &args),
        Action::Sweep(args) => Box::pin(sweep(context, &args)).await,
    }
}

async fn sweep(context: &Context, args: &SweepArgs) -> Result<(), CliError> {
    let swept = context
        .with_jobs(async |jobs| Ok(jobs.sweep_payloads(args.older_than, args.dry_run).await?))
        .await?;
    if args.json {
        let said = json!({
            "objects": swept.objects, "orphans": swept.orphans, "chunks": swept.chunks,
            "foreign": swept.foreign, "dry_run": args.dry_run,
        });
        return Ok(context.output.json(&said)?);
    }
    let what = if args.dry_run {
        "would be removed"
    } else {
        "removed"
    };
    let line = format!(
        "{} of {} large payloads {what}: no job refers to them",
        swept.orphans, swept.objects
    );
    context.output.line(line)?;
    if swept.foreign > 0 {
        let foreign = swept.foreign;
        let note =
            format!("{foreign} are left alone: their names do not say of which job they are");
        context.output.note(note);
    }
    Ok(())
}

fn version(context: &Context, args: &VersionArgs) -> Result<(), CliError> {
    let (version, server) = (env!("CARGO_PKG_VERSION"), naq::MINIMUM_SERVER);
    let server = format!("{}.{}", server.0, server.1);
    if args.json {
        let said = json!({ "version": version, "minimum_server": server });
        return Ok(context.output.json(&said)?);
    }
    let line = format!("naq {version} (works with nats-server {server} or newer)");
    Ok(context.output.line(line)?)
}
