//! Requests to the JetStream API.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{ConnectionError, ConnectionErrorKind};
use crate::lease::Connection;

/// No such stream.
const STREAM_NOT_FOUND: u64 = 10059;

#[derive(Deserialize)]
#[serde(untagged)]
enum Reply<T> {
    // First: an answer with an error may have the empty fields of the other one too.
    Error { error: Refusal },
    Ok(T),
}

#[derive(Deserialize)]
struct Refusal {
    code: u16,
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

/// Calls `$JS.API.<verb>` with a JSON body; `None` is an empty one, as some verbs insist on.
pub(crate) async fn call<T: DeserializeOwned>(
    connection: &Connection,
    verb: &str,
    body: Option<&(impl Serialize + Sync)>,
) -> Result<T, ConnectionError> {
    let body = body.map(serde_json::to_vec).transpose().map_err(|error| {
        let context = format!("`{verb}` can't be asked like that");
        ConnectionError::with_source(ConnectionErrorKind::InvalidSettings, context, error)
    })?;
    let subject = format!("$JS.API.{verb}");
    let reply = connection
        .request(subject, body.unwrap_or_default())
        .await?;
    match serde_json::from_slice(&reply.payload) {
        Ok(Reply::Ok(value)) => Ok(value),
        Ok(Reply::Error { error }) => Err(ConnectionError::new(
            ConnectionErrorKind::Api {
                code: error.code,
                err_code: error.err_code,
                description: error.description,
            },
            format!("`{verb}` was refused"),
        )),
        Err(error) => Err(ConnectionError::with_source(
            ConnectionErrorKind::Protocol,
            format!("the answer to `{verb}`"),
            error,
        )),
    }
}

/// What the server tells of a stream, as it tells it; `None` if there is none of this name.
pub(crate) async fn stream_info(
    connection: &Connection,
    name: &str,
) -> Result<Option<Value>, ConnectionError> {
    // The name becomes a part of the subject.
    let plain = |c: char| !c.is_whitespace() && !matches!(c, '.' | '*' | '>' | '/' | '\\');
    if name.is_empty() || !name.chars().all(plain) {
        return Err(ConnectionError::new(
            ConnectionErrorKind::InvalidName,
            format!("`{name}` can't be the name of a stream: no spaces, no `.*>/\\`"),
        ));
    }
    let verb = format!("STREAM.INFO.{name}");
    match call(connection, &verb, None::<&()>).await {
        Ok(info) => Ok(Some(info)),
        Err(error) if is_code(&error, STREAM_NOT_FOUND) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn is_code(error: &ConnectionError, wanted: u64) -> bool {
    matches!(error.kind(), ConnectionErrorKind::Api { err_code, .. } if *err_code == wanted)
}
