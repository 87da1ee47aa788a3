//! Requests to the JetStream API, with its errors as values.

use async_nats::Message;
use naq_connection::Connection;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::{JobsError, JobsErrorKind};

/// An error that the API answered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, thiserror::Error)]
#[error("{description} (code {code}, err_code {err_code})")]
pub(crate) struct ApiError {
    #[serde(default)]
    pub(crate) code: u16,
    #[serde(default)]
    pub(crate) err_code: u32,
    #[serde(default)]
    pub(crate) description: String,
}

impl ApiError {
    /// The stream does not exist.
    pub(crate) const STREAM_NOT_FOUND: u32 = 10059;
    /// JetStream is on, but not for this account.
    pub(crate) const NOT_ENABLED_FOR_ACCOUNT: u32 = 10039;
    /// No message is stored under the subject.
    pub(crate) const NO_MESSAGE: u32 = 10037;
    /// The consumer does not exist.
    pub(crate) const CONSUMER_NOT_FOUND: u32 = 10014;
    /// The stream exists with other settings.
    pub(crate) const STREAM_NAME_IN_USE: u32 = 10058;
    /// Replicas asked of a server that is no cluster.
    pub(crate) const REPLICAS_NOT_SUPPORTED: u32 = 10074;
    /// Not enough servers for the replicas.
    pub(crate) const NO_SUITABLE_PEERS: u32 = 10005;
    /// The nodes of a cluster are in the middle of an election, or too few of them are there: incomplete, not active, not
    /// assigned, not available, not the leader.
    const NO_LEADER: [u32; 5] = [10004, 10006, 10007, 10008, 10009];
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Reply<T> {
    Error { error: ApiError },
    Ok(T),
}

/// Calls `$JS.API.<verb>` with a JSON body; `()` is an empty one, as some verbs insist on.
///
/// The outer result is the transport's, the inner one the API's.
pub(crate) async fn call<T: DeserializeOwned>(
    conn: &Connection,
    verb: &str,
    body: &impl serde::Serialize,
) -> Result<Result<T, ApiError>, JobsError> {
    let context = || format!("call the server's {verb}");
    let mut body = serde_json::to_vec(body)
        .map_err(|e| JobsError::new(JobsErrorKind::Configuration, context()).because(e))?;
    if body == b"null" {
        body.clear();
    }
    let reply = conn
        .request(format!("$JS.API.{verb}"), body)
        .await
        .map_err(|e| JobsError::connection(context(), e))?;
    parse(&reply).map_err(|e| JobsError::new(JobsErrorKind::Corrupt, context()).because(e))
}

fn parse<T: DeserializeOwned>(reply: &Message) -> Result<Result<T, ApiError>, serde_json::Error> {
    // An answer with an error has both the error and, sometimes, empty fields of the type, so the error goes first.
    Ok(match serde_json::from_slice(&reply.payload)? {
        Reply::Error { error } => Err(error),
        Reply::Ok(value) => Ok(value),
    })
}

/// Turns the API's error into this crate's. A cluster without a leader has refused nothing: it is asked again.
pub(crate) fn refused(context: impl Into<String>, error: ApiError) -> JobsError {
    let kind = match ApiError::NO_LEADER.contains(&error.err_code) {
        true => JobsErrorKind::Unavailable,
        false => JobsErrorKind::Server,
    };
    JobsError::new(kind, context).because(error)
}
