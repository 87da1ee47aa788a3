//! The exit codes, and nothing else: scripts rely on them.

/// Everything that was asked for has been done. Also a worker or a server that was asked to stop, and stopped.
pub const OK: u8 = 0;
/// A defect, or the system refused something.
pub const INTERNAL: u8 = 1;
/// The command line makes no sense: unknown flag, bad JSON, impossible name, payload too large.
pub const USAGE: u8 = 2;
/// The configuration is wrong, or asks for something that the server cannot do.
pub const CONFIGURATION: u8 = 3;
/// The server cannot be reached, was lost for good, or could not be started; the doctor has found an error.
pub const CONNECTION: u8 = 4;
/// The job failed, or was cancelled.
pub const JOB_FAILED: u8 = 5;
/// The job has not ended within the time that was given.
pub const TIMEOUT: u8 = 6;
/// There is no such job, outcome or dead letter.
pub const NOT_FOUND: u8 = 7;
/// The numbers of the demo do not add up.
pub const DEMO: u8 = 8;
/// Interrupted by Ctrl-C (SIGINT) before the work was done, or a second time while stopping.
pub const INTERRUPTED: u8 = 130;
/// As [`INTERRUPTED`], by SIGTERM.
pub const TERMINATED: u8 = 143;

/// What `--help` shows of the above.
pub(crate) const TABLE: &str = "\
Exit codes:
    0  done (also: a worker or a dev server that was asked to stop, and stopped)
    1  internal error, or the system refused something
    2  wrong usage: flag, JSON, name, payload too large
    3  wrong configuration
    4  the server cannot be reached or started, was lost for good, or the doctor found an error
    5  the job failed, or was cancelled
    6  the job has not ended in time
    7  no such job, outcome or dead letter
    8  the numbers of the demo do not add up
  130  interrupted (Ctrl-C) before the work was done, or twice
  143  as 130, by SIGTERM";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_code() {
        let all = [
            OK,
            INTERNAL,
            USAGE,
            CONFIGURATION,
            CONNECTION,
            JOB_FAILED,
            TIMEOUT,
            NOT_FOUND,
            DEMO,
            INTERRUPTED,
            TERMINATED,
        ];
        let shown: Vec<String> = TABLE
            .lines()
            .skip(1)
            .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
            .collect();
        assert_eq!(shown, all.map(|code| code.to_string()));
    }
}
