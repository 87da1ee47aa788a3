//! Which node of a cluster leads the streams.

use std::time::{Duration, Instant};

use naq::connection::Connection;
use serde_json::{Value, json};

use super::stage::{Stage, broken, lease};
use crate::error::CliError;
use crate::exit_code;

/// Time that all elections may take, and how often they are looked at.
const ELECTED: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);

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
        while !lead(&conn, name).await? {
            if Instant::now() > deadline {
                let text =
                    format!("the stream {name} was not led by the node of choice for {ELECTED:?}");
                return Err(CliError::new(exit_code::INTERNAL, text));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
    Ok(())
}

/// Whether the node of `conn` leads the stream; if not, it is asked to.
async fn lead(conn: &Connection, stream: &str) -> Result<bool, CliError> {
    let here = conn.server_info().server_name;
    let info = ask(conn, format!("$JS.API.STREAM.INFO.{stream}"), &Value::Null).await?;
    let leader = info["cluster"]["leader"].as_str().unwrap_or_default();
    if leader == here {
        return Ok(true);
    }
    if !leader.is_empty() {
        let wish = json!({ "placement": { "preferred": here } });
        // Refused during an election; then it is asked again.
        ask(
            conn,
            format!("$JS.API.STREAM.LEADER.STEPDOWN.{stream}"),
            &wish,
        )
        .await?;
    }
    Ok(false)
}

async fn ask(conn: &Connection, subject: String, body: &Value) -> Result<Value, CliError> {
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let reply = conn.request(subject, body).await;
    let reply = reply.map_err(|e| broken("choose the leader of a stream", &e))?;
    Ok(serde_json::from_slice(&reply.payload).unwrap_or_default())
}
