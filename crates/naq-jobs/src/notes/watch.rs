//! Watching a job: everything that it says and has said, then its end.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, Stream, StreamExt};

use super::feed::Feed;
use super::{JobNews, Progress};
use crate::JobsError;
use crate::JobsErrorKind;
use crate::model::JobId;
use crate::results::Results;
use crate::server::{Link, next_at_leader, repair_streams};
use crate::wire::Outcome;

/// Wait before trying again while the server cannot be reached.
const PAUSE: Duration = Duration::from_millis(100);

/// As good as for ever.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Notes that are read after the end, at the most.
const MOST: usize = 10_000;

/// What a job says, as a [`Stream`]: first what was said before, then each note as it comes, last the end.
///
/// Goes on over reconnects without a gap. A job that never ends, or never was, has no end here: set a time limit.
#[must_use = "nothing is watched before it is polled"]
pub struct Watch(BoxStream<'static, Result<JobNews, JobsError>>);

struct Watcher {
    link: Link,
    id: JobId,
    /// The sequence after the newest note that was seen.
    next: u64,
    feed: Option<Feed>,
    end: BoxFuture<'static, Result<Outcome, JobsError>>,
    /// The outcome, once it is there and the notes before it may not all have been read.
    ended: Option<Outcome>,
    rest: VecDeque<JobNews>,
    is_over: bool,
}

impl Watch {
    pub(crate) fn new(link: Link, id: JobId) -> Self {
        let (results, awaited) = (Results::new(link.clone()), id.clone());
        let watcher = Watcher {
            link,
            id,
            next: 0,
            feed: None,
            end: async move { results.wait(&awaited, FOR_EVER).await }.boxed(),
            ended: None,
            rest: VecDeque::new(),
            is_over: false,
        };
        let news = futures::stream::unfold(watcher, async |mut watcher| {
            let news = watcher.news().await?;
            Some((news, watcher))
        });
        Self(news.boxed())
    }

    /// The next news; `None` after the end.
    ///
    /// # Errors
    /// [`JobsErrorKind::Disconnected`] and the like, which a retry does not cure; the stream ends with it.
    ///
    /// # Cancel safety
    /// Safe to drop and call again.
    pub async fn next(&mut self) -> Option<Result<JobNews, JobsError>> {
        self.0.next().await
    }

    /// Only the progress.
    pub fn progress(self) -> impl Stream<Item = Result<Progress, JobsError>> + Send {
        self.filter_map(async |news| match news {
            Ok(JobNews::Progress(progress)) => Some(Ok(progress)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
        .boxed()
    }
}

impl Watcher {
    async fn news(&mut self) -> Option<Result<JobNews, JobsError>> {
        loop {
            if let Some(news) = self.rest.pop_front() {
                return Some(Ok(news));
            }
            if self.is_over {
                return None;
            }
            match self.step().await {
                Ok(None) => {}
                Ok(Some(news)) => return Some(Ok(news)),
                Err(error) if error.is_transient() => {
                    self.feed = None;
                    if error.kind() == JobsErrorKind::Unavailable {
                        drop(repair_streams(&self.link).await);
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => {
                    self.is_over = true;
                    return Some(Err(error));
                }
            }
        }
    }

    async fn step(&mut self) -> Result<Option<JobNews>, JobsError> {
        if let Some(outcome) = &self.ended {
            let outcome = outcome.clone();
            self.read_rest().await?;
            if let Some(feed) = self.feed.take() {
                feed.leave().await;
            }
            self.rest.push_back(JobNews::End(Box::new(outcome)));
            self.is_over = true;
            return Ok(None);
        }
        let feed = match &mut self.feed {
            Some(feed) => feed,
            empty => empty.insert(Feed::open(&self.link, &self.id, self.next).await?),
        };
        tokio::select! {
            biased;
            came = feed.next() => match came {
                Some((news, sequence)) => {
                    self.next = sequence + 1;
                    Ok(news)
                }
                None => {
                    self.feed = None;
                    Ok(None)
                }
            },
            outcome = &mut self.end => {
                self.ended = Some(outcome?);
                Ok(None)
            }
        }
    }

    /// The notes that were stored before the outcome and not pushed yet.
    async fn read_rest(&mut self) -> Result<(), JobsError> {
        let names = self.link.names();
        let (stream, filter) = (names.notes_stream(), names.notes_of(&self.id));
        let conn = self.link.lease("watch a job").await?;
        while self.rest.len() < MOST {
            let Some(found) = next_at_leader(&conn, &stream, &filter, self.next).await? else {
                break;
            };
            self.next = found.sequence + 1;
            self.rest
                .extend(JobNews::read(&found.subject, &found.payload));
        }
        Ok(())
    }
}

impl Stream for Watch {
    type Item = Result<JobNews, JobsError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(context)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}
