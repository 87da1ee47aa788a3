//! `naq connection watch`: what the connection does, as it does it.

use std::io;
use std::time::Duration;

use naq::connection::{Connection, Phase, State};
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::target::{Target, millis, server_of};
use crate::context::Context;
use crate::duration::parse_positive;
use crate::error::CliError;
use crate::output::{Style, latency};
use crate::signals::Signals;

/// Show each change of the connection and the round trip every second, until Ctrl-C
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Time between two round trips
    #[arg(long, value_name = "TIME", value_parser = parse_positive, default_value = "1s")]
    every: Duration,

    /// Print one JSON object per line: `{"at": ..., "event": "state" | "rtt" | "error", ...}`
    #[arg(long)]
    json: bool,
}

/// Time that one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn run(context: &Context, args: &Args) -> Result<(), CliError> {
    let signals = Signals::listen()?;
    let target = Target::new(context, None).await?;
    let lines = Lines { context, args };
    // Boxed: it holds a dial. Being stopped is how it ends.
    let watched = signals
        .unless_stopped(Box::pin(follow(&target, &lines)))
        .await;
    if let Ok(Err(error)) = watched {
        return Err(error.into());
    }
    target.end().await;
    Ok(())
}

/// Ends with the first line that cannot be written.
async fn follow(target: &Target, lines: &Lines<'_>) -> io::Result<()> {
    loop {
        match target.service.connection().await {
            Ok(connection) => watch(&connection, lines).await?,
            Err(error) => lines.error(&error.to_string())?,
        }
        sleep(lines.args.every).await;
    }
}

/// Until the client has ended.
async fn watch(connection: &Connection, lines: &Lines<'_>) -> io::Result<()> {
    let mut states = connection.states();
    let mut ticks = interval(lines.args.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = None;
    loop {
        let state = *states.borrow_and_update();
        if last.is_none_or(|last| is_news(last, state)) {
            lines.state(state, connection)?;
            last = Some(state);
        }
        if state.is_terminal() {
            return Ok(());
        }
        tokio::select! {
            changed = states.changed() => if changed.is_err() { return Ok(()) },
            _ = ticks.tick() => if state.is_connected() {
                let asked = Instant::now();
                match connection.flush_confirmed_within(PATIENCE).await {
                    Ok(()) => lines.rtt(asked.elapsed())?,
                    Err(error) => lines.error(&error.to_string())?,
                }
            },
        }
    }
}

/// Each attempt of a long outage is none.
fn is_news(last: State, now: State) -> bool {
    let is_trying = |state: State| matches!(state.phase, Phase::Reconnecting { .. });
    last != now && !(is_trying(last) && is_trying(now))
}

struct Lines<'a> {
    context: &'a Context,
    args: &'a Args,
}

impl Lines<'_> {
    fn state(&self, state: State, connection: &Connection) -> io::Result<()> {
        let name = match state.phase {
            Phase::Connected => "connected",
            Phase::Reconnecting { .. } => "reconnecting",
            Phase::Closed => "closed",
            Phase::Failed { .. } => "failed",
            _ => "dialing",
        };
        if self.args.json {
            let server = state.is_connected().then(|| server_of(connection));
            let line =
                json!({ "event": "state", "state": name, "epoch": state.epoch, "server": server });
            return self.json(line);
        }
        let (style, told) = match state.is_connected() {
            true => {
                let info = connection.server_info();
                let server = format!("`{}` (nats-server {})", info.server_name, info.version);
                (Style::Good, format!("to {server}, epoch {}", state.epoch))
            }
            false => (Style::Bad, format!("epoch {}", state.epoch)),
        };
        self.line(style, name, &told)
    }

    fn rtt(&self, rtt: Duration) -> io::Result<()> {
        if self.args.json {
            return self.json(json!({ "event": "rtt", "rtt_ms": millis(rtt) }));
        }
        self.line(Style::Faint, "rtt", &latency(rtt))
    }

    fn error(&self, error: &str) -> io::Result<()> {
        if self.args.json {
            return self.json(json!({ "event": "error", "error": error }));
        }
        self.line(Style::Bad, "error", error)
    }

    fn line(&self, style: Style, what: &str, told: &str) -> io::Result<()> {
        let out = &self.context.output;
        let now = jiff::Zoned::now().strftime("%H:%M:%S%.3f").to_string();
        out.line(format!(
            "{now}  {}  {told}",
            out.styled(style, &format!("{what:<12}"))
        ))
    }

    /// One line, also if a person looks: the next one follows.
    fn json(&self, mut line: Value) -> io::Result<()> {
        line["at"] = json!(jiff::Timestamp::now().to_string());
        self.context.output.line(line.to_string())
    }
}
