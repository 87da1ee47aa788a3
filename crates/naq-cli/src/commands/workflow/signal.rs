//! `naq workflow signal`.

use naq::{JobId, Jobs};
use serde_json::json;

use crate::commands::payload;
use crate::context::Context;
use crate::error::CliError;

/// Send a signal to a node that waits for one
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  naq workflow signal order-01K3 approved
  naq workflow signal order-01K3 approved '{\"by\": \"Ada\"}'")]
pub(super) struct Args {
    /// The workflow's id
    id: JobId,

    /// The node
    node: String,

    /// The result of the node as JSON; `-` reads standard input, `@FILE` a file
    #[arg(
        value_name = "JSON",
        default_value = "null",
        allow_hyphen_values = true
    )]
    payload: String,

    /// Print JSON: `{"id": ..., "node": ...}`
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(context: &Context, jobs: &Jobs, args: Args) -> Result<(), CliError> {
    let value = payload::read(args.payload).await?;
    jobs.workflows()
        .signal(&args.id, &args.node, &value)
        .await?;
    if args.json {
        let done = json!({ "id": args.id.as_str(), "node": args.node });
        return Ok(context.output.json(&done)?);
    }
    Ok(context
        .output
        .line(format!("{} has its signal", args.node))?)
}
