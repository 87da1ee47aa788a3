//! A message that says that something of a workflow has ended.

use serde::Deserialize;

use super::begin::{DEADLINE, LISTEN, STOP};
use crate::model::JobId;
use crate::wire::{Names, Status};

/// What a worker is told of a workflow, with the address of its acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(super) flow: JobId,
    pub(super) news: News,
    pub(super) reply: String,
}

/// What has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// A node has ended.
    End {
        node: u32,
        round: u32,
        status: Status,
    },
    /// The time of a waiting node is up.
    Timeout { node: u32, round: u32 },
    /// The time of the whole is up.
    Deadline,
    /// What is left of its jobs is to be cancelled.
    Stop,
    /// Jobs outside are to be listened to, or a further turn is to be made.
    Listen,
}

/// The body.
#[derive(Debug, Deserialize)]
struct Body {
    #[serde(default)]
    round: u32,
    #[serde(default)]
    status: Option<Status>,
    #[serde(default)]
    is_timeout: bool,
}

impl Notice {
    /// Reads a message on `subject`; `None` if it says nothing.
    pub(crate) fn read(subject: &str, body: &[u8], reply: &str) -> Option<Self> {
        let (flow, what) = Names::parse_flow_end(subject)?;
        let news = match what {
            DEADLINE => News::Deadline,
            LISTEN => News::Listen,
            STOP => News::Stop,
            number => {
                let node = number.parse().ok()?;
                let body: Body = serde_json::from_slice(body).ok()?;
                let round = body.round;
                match (body.status, body.is_timeout) {
                    (Some(status), _) => News::End {
                        node,
                        round,
                        status,
                    },
                    (None, true) => News::Timeout { node, round },
                    (None, false) => return None,
                }
            }
        };
        Some(Self {
            flow,
            news,
            reply: reply.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_read_and_what_says_nothing_is_not() {
        let read = |what: &str, body: &str| {
            let notice = Notice::read(&format!("naq.flow.done.w-1.{what}"), body.as_bytes(), "r");
            notice.map(|notice| notice.news)
        };
        let end = News::End {
            node: 7,
            round: 2,
            status: Status::Failed,
        };
        assert_eq!(read("7", r#"{"round":2,"status":"failed"}"#), Some(end));
        assert_eq!(
            read("1", r#"{"is_timeout":true}"#),
            Some(News::Timeout { node: 1, round: 0 })
        );
        assert_eq!(read("deadline", ""), Some(News::Deadline));
        assert_eq!(read("listen", "{}"), Some(News::Listen));
        assert_eq!(read("stop", "{}"), Some(News::Stop));
        for (what, body) in [("1", "{}"), ("x", "{}"), ("1", "no")] {
            assert_eq!(read(what, body), None, "{what} {body}");
        }
    }
}
