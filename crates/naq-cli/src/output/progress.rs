//! How far long work is, for a person who waits.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

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
            bar.set_style(style.progress_chars("━╸─"));
        }
        bar
    }
}
