//! The live display: on standard error, and only if somebody looks.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use naq::StopReport;

use crate::output::grouped;

/// The display.
#[derive(Debug)]
pub(super) struct Progress(ProgressBar);

/// What it shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    pub(super) total: u64,
    pub(super) running: u64,
    pub(super) report: StopReport,
    pub(super) since: Duration,
}

impl Progress {
    /// A display with a first line; nothing at all unless `is_shown`.
    pub(super) fn start(is_shown: bool, text: &'static str) -> Self {
        let target = match is_shown {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(None, target).with_message(text);
        style(&bar, "\n{spinner} {msg}");
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    pub(super) fn say(&self, text: impl Into<String>) {
        self.0.set_message(text.into());
    }

    /// Shows where the jobs are.
    pub(super) fn show(&self, view: &View) {
        if self.0.length().is_none() {
            self.0.set_length(view.total);
            style(&self.0, "\n{spinner} {wide_bar} {pos}/{len}\n{wide_msg}");
        }
        self.0.set_position(view.settled());
        self.0.set_message(view.to_string());
    }

    /// Takes the display away.
    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}

/// A wide message is cut on a narrow terminal, never wrapped. The first line is empty: Ctrl-C makes the terminal write
/// `^C` and go to the next line, so that the first one is left behind.
fn style(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸─"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

impl View {
    pub(super) fn settled(&self) -> u64 {
        self.report.completed + self.report.failed
    }
}

impl std::fmt::Display for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let queued = self
            .total
            .saturating_sub(self.settled())
            .saturating_sub(self.running);
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = self.settled() as f64 / self.since.as_secs_f64().max(0.001);
        write!(
            f,
            "queued {}  running {}  done {}  retried {}  dead {}  {rate:.0}/s",
            grouped(queued),
            self.running,
            grouped(self.report.completed),
            self.report.retried,
            self.report.failed
        )
    }
}
