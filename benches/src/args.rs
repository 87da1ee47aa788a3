//! The command line.

use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

/// Measures leases against the bare client and against pools.
#[derive(Debug, Parser)]
#[command(name = "naq-bench")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The table of ratios, each against its target
    Connections(Options),
    /// Scopes under failures for a long time: are memory and files flat?
    Soak(SoakOptions),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Options {
    /// Print the rows as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Rounds; every variant runs in every round
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..1000))]
    pub(crate) rounds: u32,
    /// Less time for each sample, a shorter outage
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only these rows
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<RowName>,
    /// End with 1 if a target is missed
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SoakOptions {
    /// How long, as `10m`
    #[arg(long = "for", default_value = "10m", value_parser = humantime::parse_duration)]
    pub(crate) span: Duration,
    /// No request is left before its reply, unless a fault ends it: each that is costs the client
    /// 300 to 400 B until it is replaced
    #[arg(long)]
    pub(crate) patient: bool,
    /// Print the verdict as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// End with 1 if something grows
    #[arg(long)]
    pub(crate) check: bool,
}

/// The rows, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum RowName {
    Acquire,
    #[value(name = "publish_flush_64")]
    PublishFlush64,
    #[value(name = "round_trip_64")]
    RoundTrip64,
    #[value(name = "cold_start_1000")]
    ColdStart1000,
    ColdConnect,
    #[value(name = "recovery_200")]
    Recovery200,
    LameDuck,
    ShutdownBacklog,
    /// Only if it is named
    Moves,
}

impl Options {
    pub(crate) fn wants(&self, row: RowName) -> bool {
        let by_default = self.only.is_empty() && row != RowName::Moves;
        by_default || self.only.contains(&row)
    }

    /// Time for one variant in one round.
    pub(crate) fn slice(&self) -> Duration {
        Duration::from_millis(if self.quick { 60 } else { 300 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &[&str]) -> Options {
        let words = ["naq-bench", "connections"].iter().chain(words);
        match Args::try_parse_from(words).unwrap().command {
            Command::Connections(options) => options,
            Command::Soak(_) => unreachable!("it was not asked for"),
        }
    }

    #[test]
    fn all_rows_are_wanted_unless_some_are_named() {
        let all = options(&[]);
        let wanted = RowName::value_variants().iter();
        let wanted = wanted.filter(|row| all.wants(**row)).count();
        assert_eq!(wanted, RowName::value_variants().len() - 1);
        assert!(!all.wants(RowName::Moves) && options(&["--only", "moves"]).wants(RowName::Moves));
        assert_eq!(all.rounds, 7);
        let two = options(&["--only", "acquire,cold_start_1000", "--quick"]);
        assert!(two.wants(RowName::ColdStart1000) && !two.wants(RowName::LameDuck));
        assert!(two.slice() < all.slice());
    }

    #[test]
    fn unknown_rows_and_no_rounds_are_refused() {
        for words in [["--only", "warp"], ["--rounds", "0"]] {
            let words = ["naq-bench", "connections"].iter().chain(&words);
            assert!(Args::try_parse_from(words).is_err());
        }
    }

    #[test]
    fn a_soak_takes_a_length_in_words() {
        let args = Args::try_parse_from(["naq-bench", "soak", "--for", "90s"]).unwrap();
        let Command::Soak(options) = args.command else {
            unreachable!("it was asked for");
        };
        assert_eq!(options.span, Duration::from_secs(90));
    }
}
