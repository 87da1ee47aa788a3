//! The findings so far.

use super::finding::{Check, Finding, Verdict};

pub(super) struct Report<'t> {
    findings: Vec<Finding>,
    told: &'t mut dyn FnMut(&Finding),
}

impl<'t> Report<'t> {
    pub(super) fn new(told: &'t mut dyn FnMut(&Finding)) -> Self {
        Self {
            findings: Vec::new(),
            told,
        }
    }

    pub(super) fn add(&mut self, finding: Finding) {
        (self.told)(&finding);
        self.findings.push(finding);
    }

    /// The findings, with the steps that were not reached.
    pub(super) fn finish(mut self) -> Vec<Finding> {
        let failed = self.findings.iter().rfind(|f| f.verdict == Verdict::Error);
        let why = failed.map_or_else(
            || "not looked at".to_owned(),
            |failed| format!("not looked at, since this failed: {}", failed.check),
        );
        for check in Check::ALL {
            if self.findings.iter().all(|finding| finding.check != check) {
                self.add(Finding::skipped(check, &why));
            }
        }
        self.findings
    }
}
