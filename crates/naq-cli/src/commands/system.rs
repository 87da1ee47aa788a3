//! `naq system`: the program, the server and the configuration, under the names of the original.

use clap::Subcommand;
use serde_json::json;

use super::{config, connection};
use crate::context::Context;
use crate::error::CliError;
use crate::logging::{self, Level};

/// Version, health and configuration
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
    /// Show the configuration: the same as `naq config show`
    Config(config::ShowArgs),
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
        Action::Config(args) => config::show(context, &args),
    }
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
