//! The flags, and what `--quick` makes smaller.

use std::path::PathBuf;

use clap::ValueEnum;

/// Measure what jobs cost here, against the raw client
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Both sides run in one process, in turns, on streams with the same settings (a prefix of their own each), with a payload
of 100 bytes of JSON, file storage, and one replica (`--cluster`: three, led by the node that both sides are connected to;
a fifth of the jobs in memory and scale). `raw` is the async-nats client. A row's ratio is
the median of the ratios of its rounds. Other programs on the machine change rates; they change ratios less.

  enqueue_one   raw: publish with a message id, the acknowledgement awaited, one at a time.  NAQ: enqueue
  enqueue_bulk  raw: the same with 512 on their way.  NAQ: enqueue_many
  drain_plain   raw: fetch(500), ack each, until the queue is empty.  NAQ: one worker, jobs that keep no result
  drain_result  raw: for each message, 500 at the same time: publish a record that expects none before it, await that,
                ack with confirmation.  NAQ: one worker, jobs whose result is kept
  latency       raw: publish to delivery by an open pull request, 500/s, over two connections.  NAQ: enqueue to the start
                of the handler
  idle          CPU of a worker process on 10 empty queues, and what it sends
  memory        resident memory of a worker process with 100 slots while it drains 1,000,000 jobs
  scale         CPU per job of server and worker: a backlog of 1,000 (`raw`) against 100,000 and 1,000,000 jobs, 1,000
                queues, and 100,000 delayed jobs; the worst is shown as `naq`. It may grow as the loop of drain_result
                of the raw client does, over the same backlog and queues; each case has streams of its own
  workers       drain by 4 worker processes against 1 (`raw`)
  events        drain_result with events against the same without them (`raw`)

Without --server it starts a nats-server of its own. On a server of yours it uses a random prefix and removes its
streams at the end, also after Ctrl-C. Exit code 0 whether or not the targets are met.")]
pub(crate) struct Args {
    /// Only these rows; several with commas
    #[arg(long, value_name = "ROW", value_enum, value_delimiter = ',')]
    pub(super) only: Vec<RowName>,

    /// A tenth of the work or less: a smoke test, not a measurement
    #[arg(long)]
    pub(super) quick: bool,

    /// Turns of each side [default: 5, with --quick 2, with --cluster 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(super) rounds: Option<u32>,

    /// Measure on this server or cluster; several URLs with commas
    #[arg(long, value_name = "URL", conflicts_with = "cluster")]
    pub(super) server: Option<String>,

    /// Start a cluster of three nodes, and keep three replicas
    #[arg(long)]
    pub(super) cluster: bool,

    /// Jobs that the worker of the drain rows runs at the same time
    #[arg(long, value_name = "N", default_value = "500")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) concurrency: u32,

    /// Write the report as a page, with pictures beside it
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,

    /// Print one JSON object and nothing else
    #[arg(long)]
    pub(super) json: bool,

    /// What a process that the benchmark starts has to do
    #[arg(long, hide = true, value_name = "JSON")]
    pub(super) child: Option<String>,
}

/// The rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum RowName {
    EnqueueOne,
    EnqueueBulk,
    DrainPlain,
    DrainResult,
    Latency,
    Idle,
    Memory,
    Scale,
    Workers,
    Events,
}

impl Args {
    /// The rows to measure, in their order.
    pub(super) fn rows(&self) -> Vec<RowName> {
        let all = RowName::value_variants().iter().copied();
        all.filter(|row| self.only.is_empty() || self.only.contains(row))
            .collect()
    }

    pub(super) fn plan(&self) -> Plan {
        Plan {
            rounds: self.rounds.unwrap_or(match (self.quick, self.cluster) {
                (true, _) => 2,
                (false, true) => 3,
                (false, false) => 5,
            }),
            is_quick: self.quick,
            is_cluster: self.cluster,
            concurrency: self.concurrency,
        }
    }
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) rounds: u32,
    pub(super) is_quick: bool,
    /// Three servers share the machine.
    is_cluster: bool,
    pub(super) concurrency: u32,
}

impl Plan {
    /// `full`, or with `--quick` less.
    pub(super) fn size(self, full: u64, quick: u64) -> u64 {
        if self.is_quick { quick } else { full }
    }

    /// As [`Self::size`], of what there is to be a lot of; a cluster on one machine gets a fifth.
    pub(super) fn mass(self, full: u64, quick: u64) -> u64 {
        self.size(if self.is_cluster { full / 5 } else { full }, quick)
    }
}
