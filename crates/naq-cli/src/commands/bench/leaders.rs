//! Which node of a cluster leads the streams.

use std::time::{Duration, Instant};

use naq::connection::Connection;
use serde_json::{Value, json};

use super::stage::{Stage, broken, lease};
use crate::error::CliError;

/// Time that all elections may take, how often they are looked at, and how often a leader is asked to step down: asked again
/// in the middle of an election, the next one would step down, too.
const ELECTED: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);
const ASK_AGAIN: Duration = Duration::from_secs(3);
/// Time that one answer may take: in an election there may be none at all.
const ANSWER: Duration = Duration::from_secs(2);

/// In a cluster of ours: lets the node to which all are connected lead all streams, so that no side has the longer way.
pub(super) async fn gather(stage: &Stage) -> Result<(), CliError> {
    if !stage.is_cluster() {
        return Ok(());
    }
    let names = stage.naq.connections().streams().names(usize::MAX).await;
    let names = names.map_err(|e| broken("list the streams", &e))?;
    let conn = lease(&stage.naq).await?;
    let deadline = Instant::now() + ELECTED;
    for name in names.iter().filter(|name| name.starts_with(stage.prefix())) {
        let mut asked = None;
        while !is_led(&conn, name).await? {
            if Instant::now() > deadline {
                // Both sides have the longer way then.
                tracing::warn!(
                    stream = name,
                    "led by another node than the one connected to"
                );
                return Ok(());
            }
            if asked.is_none_or(|at: Instant| at.elapsed() > ASK_AGAIN) {
                move_here(&conn, name).await?;
                asked = Some(Instant::now());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
    Ok(())
}

/// Whether the node of `conn` leads the stream.
async fn is_led(conn: &Connection, stream: &str) -> Result<bool, CliError> {
    let here = conn.server_info().server_name;
    let info = ask(conn, format!("$JS.API.STREAM.INFO.{stream}"), &Value::Null).await?;
    Ok(info["cluster"]["leader"] == here)
}

/// Asks the leader of the stream to leave that to the node of `conn`. Refused in the middle of an election.
async fn move_here(conn: &Connection, stream: &str) -> Result<(), CliError> {
    let wish = json!({ "placement": { "preferred": conn.server_info().server_name } });
    let subject = format!("$JS.API.STREAM.LEADER.STEPDOWN.{stream}");
    let answer = ask(conn, subject, &wish).await?;
    if !answer["error"].is_null() {
        tracing::debug!(stream, answer = %answer["error"], "no other leader yet");
    }
    Ok(())
}

/// `null` if nobody has answered.
async fn ask(conn: &Connection, subject: String, body: &Value) -> Result<Value, CliError> {
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let reply = conn.request_within(subject, Default::default(), body, ANSWER);
    match reply.await {
        Ok(reply) => Ok(serde_json::from_slice(&reply.payload).unwrap_or_default()),
        Err(e) if e.is_transient() => Ok(Value::Null),
        Err(e) => Err(broken("choose the leader of a stream", &e)),
    }
}
