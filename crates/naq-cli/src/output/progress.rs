//! How far long work is, for a person who waits.

use std::fmt::Write;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::Output;

impl Output {
    /// A bar of so many steps, or a spinner: on standard error, and only if somebody looks there.
    pub(crate) fn progress(&self, steps: Option<u64>, template: &str) -> ProgressBar {
        let target = match self.err_is_terminal() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(steps, target);
        // The templates are constants; should one be wrong, the plain bar does as well.
        if let Ok(style) = ProgressStyle::with_template(template) {
            let style = style.with_key("per_sec", |state: &ProgressState, out: &mut dyn Write| {
                // Whole ones: who waits does not read thousandths. A bar that cannot be drawn is no failure.
                let _ignored = write!(out, "{:.0}/s", state.per_sec());
            });
            bar.set_style(style.progress_chars("━╸─"));
        }
        bar
    }
}
