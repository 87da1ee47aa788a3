//! Errors of the client, for those who call it through [`JetStream`](crate::JetStream) or
//! [`Connection::client`](crate::Connection::client): what the server answered is in them somewhere.

use std::error::Error as StdError;
use std::fmt::{Debug, Display};

use async_nats::error::Error;
use async_nats::jetstream;
use async_nats::jetstream::context::{
    AccountErrorKind, ConsumerInfoErrorKind, CreateStreamErrorKind, GetStreamByNameErrorKind,
    GetStreamErrorKind,
};
use async_nats::jetstream::stream::ConsumerErrorKind;

use super::{ConnectionError, ConnectionErrorKind, Operation};

/// `Api` where the server refused, with its codes; `NoResponders`, `Deadline`; `Client` for all else.
impl<K> From<Error<K>> for ConnectionError
where
    K: Clone + Debug + Display + PartialEq + Send + Sync + 'static,
{
    fn from(error: Error<K>) -> Self {
        let kind = error.kind();
        let kind = match answer(&error) {
            Some(answer) => refused(&answer),
            None => unanswered(&kind, &error),
        };
        Self::with_source(kind, error.to_string(), error)
    }
}

fn refused(answer: &jetstream::Error) -> ConnectionErrorKind {
    ConnectionErrorKind::Api {
        code: u16::try_from(answer.code()).unwrap_or(u16::MAX),
        err_code: answer.error_code().0,
        // The words alone are not to be had.
        description: answer.to_string(),
    }
}

/// The kinds have variants of the same names, and no trait in common that would tell them.
fn unanswered(kind: &impl Debug, error: &(dyn StdError + 'static)) -> ConnectionErrorKind {
    let mut names = vec![format!("{kind:?}")];
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(request) = error.downcast_ref::<async_nats::RequestError>() {
            names.push(format!("{:?}", request.kind()));
        }
        if let Some(request) = error.downcast_ref::<jetstream::context::RequestError>() {
            names.push(format!("{:?}", request.kind()));
        }
        cause = error.source();
    }
    let says = |name: &str| names.iter().any(|is| is == name);
    if says("TimedOut") {
        let operation = Operation::Request;
        return ConnectionErrorKind::Deadline { operation };
    }
    match says("NoResponders") || says("JetStreamUnavailable") || says("StreamNotFound") {
        true => ConnectionErrorKind::NoResponders,
        false => ConnectionErrorKind::Client,
    }
}

/// The server's answer, somewhere in the causes: an error itself, or in the kind of one.
fn answer(error: &(dyn StdError + 'static)) -> Option<jetstream::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(answer) = error.downcast_ref::<jetstream::Error>() {
            return Some(answer.clone());
        }
        if let Some(answer) = in_kind(error) {
            return Some(answer);
        }
        cause = error.source();
    }
    None
}

fn in_kind(error: &(dyn StdError + 'static)) -> Option<jetstream::Error> {
    let kind = kind_of::<CreateStreamErrorKind>(error);
    if let Some(CreateStreamErrorKind::JetStream(answer)) = kind {
        return Some(answer);
    }
    let kind = kind_of::<GetStreamErrorKind>(error);
    if let Some(GetStreamErrorKind::JetStream(answer)) = kind {
        return Some(answer);
    }
    let kind = kind_of::<GetStreamByNameErrorKind>(error);
    if let Some(GetStreamByNameErrorKind::JetStream(answer)) = kind {
        return Some(answer);
    }
    let kind = kind_of::<ConsumerInfoErrorKind>(error);
    if let Some(ConsumerInfoErrorKind::JetStream(answer)) = kind {
        return Some(answer);
    }
    let kind = kind_of::<AccountErrorKind>(error);
    if let Some(AccountErrorKind::JetStream(answer)) = kind {
        return Some(answer);
    }
    match kind_of::<ConsumerErrorKind>(error) {
        Some(ConsumerErrorKind::JetStream(answer)) => Some(answer),
        _ => None,
    }
}

fn kind_of<K>(error: &(dyn StdError + 'static)) -> Option<K>
where
    K: Clone + Debug + Display + PartialEq + 'static,
{
    error.downcast_ref::<Error<K>>().map(Error::kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> jetstream::Error {
        let text = r#"{"code":400,"err_code":10058,"description":"in use"}"#;
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_servers_codes_are_found_in_the_kind_and_in_the_causes() {
        let in_kind = Error::new(CreateStreamErrorKind::JetStream(answer()));
        let in_causes = Error::with_source(
            jetstream::context::CreateKeyValueErrorKind::JetStream,
            answer(),
        );
        for error in [
            ConnectionError::from(in_kind),
            ConnectionError::from(in_causes),
        ] {
            let ConnectionErrorKind::Api { code, err_code, .. } = error.kind() else {
                panic!("{error}")
            };
            assert_eq!((*code, *err_code), (400, 10058));
            assert!(!error.is_transient());
        }
    }

    #[test]
    fn what_got_no_answer_may_be_tried_again() {
        let late = ConnectionError::from(Error::new(CreateStreamErrorKind::TimedOut));
        assert!(late.is_transient() && late.outcome_unknown());
        let absent = ConnectionError::from(Error::new(CreateStreamErrorKind::JetStreamUnavailable));
        assert_eq!(*absent.kind(), ConnectionErrorKind::NoResponders);
        let other = ConnectionError::from(Error::new(CreateStreamErrorKind::EmptyStreamName));
        assert_eq!(*other.kind(), ConnectionErrorKind::Client);
        assert!(!other.is_transient());
    }
}
