//! What a handler can say while it runs. Nothing here waits, and nothing here fails a job.

use std::sync::atomic::Ordering;

use serde::Serialize;
use tracing::Level;

use super::JobContext;
use crate::notes::{LogLine, Part, Progress, Said, Whose};
use crate::server::now_ms;

/// Longest line of a log, in bytes.
const LONGEST_LINE: usize = 16 * 1024;

/// A progress that was told; a text can be added.
#[derive(Debug)]
pub struct ProgressNote<'a> {
    context: &'a JobContext,
    progress: Progress,
}

impl JobContext {
    /// Tells how far the job is: `done` of `total` steps (0: nobody knows). Of many calls the last value is sent, ten times a
    /// second at the most.
    ///
    /// ```
    /// # fn example(job: naq_jobs::JobContext) {
    /// job.progress(3, 10).message("third page");
    /// # }
    /// ```
    pub fn progress(&self, done: u64, total: u64) -> ProgressNote<'_> {
        let progress = Progress {
            done,
            total,
            message: None,
            attempt: self.attempt(),
            at_ms: now_ms(),
        };
        self.say(Said::Progress(progress.clone()));
        ProgressNote {
            context: self,
            progress,
        }
    }

    /// Gives a part of the result to those who watch; `false` if it has no JSON form or too many notes wait.
    pub fn partial(&self, value: &(impl Serialize + ?Sized)) -> bool {
        let Ok(value) = serde_json::value::to_raw_value(value) else {
            return false;
        };
        let (attempt, at_ms) = (self.attempt(), now_ms());
        self.say(Said::Part(Part {
            value,
            attempt,
            at_ms,
        }))
    }

    /// Adds a line to the log of the job; `false` if too many notes wait.
    pub fn log(&self, level: Level, text: impl Into<String>) -> bool {
        let mut message = text.into();
        message.truncate(message.floor_char_boundary(LONGEST_LINE));
        let level = level.as_str().to_ascii_lowercase();
        let (attempt, at_ms) = (self.attempt(), now_ms());
        self.say(Said::Log(LogLine {
            level,
            message,
            attempt,
            at_ms,
        }))
    }

    fn say(&self, said: Said) -> bool {
        let whose = Whose {
            id: self.id(),
            queue: self.queue(),
            kind: self.kind(),
        };
        let number = self.0.notes.put(whose, said);
        if let Some(number) = number {
            self.0.last_note.fetch_max(number, Ordering::Relaxed);
        }
        number.is_some()
    }

    /// The number of the last note of this attempt, 0 if there is none.
    pub(super) fn last_note(&self) -> u64 {
        self.0.last_note.load(Ordering::Relaxed)
    }
}

impl ProgressNote<'_> {
    /// Says what the job does now.
    pub fn message(mut self, text: impl Into<String>) {
        let mut text = text.into();
        text.truncate(text.floor_char_boundary(LONGEST_LINE));
        self.progress.message = Some(text);
        self.context.say(Said::Progress(self.progress));
    }
}
