//! Errors of the client, for those who call it through [`JetStream`](crate::JetStream) or
//! [`Connection::client`](crate::Connection::client): what the server answered is in them somewhere.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt::{Debug, Display};

use async_nats::error::Error;
use async_nats::jetstream;
use async_nats::jetstream::context::{
    AccountErrorKind, ConsumerInfoErrorKind, CreateStreamErrorKind, GetStreamByNameErrorKind,
    GetStreamErrorKind,
};
use async_nats::jetstream::stream::ConsumerErrorKind;

use crate::error::{ConnectionError, ConnectionErrorKind, Operation};

/// `Api` where the server refused, with its codes; `NoResponders`, `Deadline`; `Client` for all else.
impl<K> From<Error<K>> for ConnectionError
where
    K: Clone + Debug + Display + PartialEq + Send + Sync + 'static,
{
    fn from(error: Error<K>) -> Self {
        let kind = error.kind();
        let answer = in_kind(&kind).or_else(|| in_causes(&error));
        let kind = match answer {
            Some(answer) => refused(answer),
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

fn in_causes<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a jetstream::Error> {
    let mut cause: Option<&'a (dyn StdError + 'static)> = error.source();
    while let Some(error) = cause {
        if let Some(answer) = error.downcast_ref() {
            return Some(answer);
        }
        cause = error.source();
    }
    None
}

/// Some kinds hold the answer themselves.
fn in_kind(kind: &dyn Any) -> Option<&jetstream::Error> {
    if let Some(CreateStreamErrorKind::JetStream(answer)) = kind.downcast_ref() {
        return Some(answer);
    }
    if let Some(GetStreamErrorKind::JetStream(answer)) = kind.downcast_ref() {
        return Some(answer);
    }
    if let Some(GetStreamByNameErrorKind::JetStream(answer)) = kind.downcast_ref() {
        return Some(answer);
    }
    if let Some(ConsumerInfoErrorKind::JetStream(answer)) = kind.downcast_ref() {
        return Some(answer);
    }
    if let Some(AccountErrorKind::JetStream(answer)) = kind.downcast_ref() {
        return Some(answer);
    }
    if let Some(ConsumerErrorKind::JetStream(answer)) = kind.downcast_ref() {
        return Some(answer);
    }
    None
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
