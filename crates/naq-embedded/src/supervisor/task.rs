//! The loop around the machine.
//!
//! Owns: the launch (run directory, store lock, ports) and the process. The task itself is owned by the
//! [`EmbeddedServer`](crate::EmbeddedServer) that it serves, which joins it on stop and aborts it on drop; either way
//! the process goes with it.

use std::future::pending;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::sync::watch;
use tokio::time::sleep;

use super::machine::{Machine, Next, RestartPolicy};
use super::order::{Inbox, Order, Orders, Reply};
use super::status::{Phase, Status};
use crate::child::{Exit, Launch, Process};
use crate::error::EmbeddedError;

#[derive(Debug)]
pub(crate) struct Supervisor {
    launch: Launch,
    machine: Machine,
    process: Option<Process>,
    since: Instant,
    wait: Duration,
    /// Set by lame duck: the end that follows was asked for.
    leaving: bool,
    inbox: Inbox,
    status: watch::Sender<Status>,
}

/// What the loop woke up for.
enum Event {
    Ended(std::io::Result<Exit>),
    Started(Result<(), EmbeddedError>),
    Due,
    Asked(Order, Reply),
    /// The holder is gone without a stop.
    Abandoned,
}

impl Supervisor {
    /// Takes over a `process` that runs.
    pub(crate) fn new(
        launch: Launch,
        process: Process,
        policy: RestartPolicy,
    ) -> (Self, Orders, watch::Receiver<Status>) {
        let (orders, inbox) = Orders::channel();
        let (status, seen) = watch::channel(Status {
            phase: Phase::Running,
            pid: Some(raw_pid(&process)),
            restarts: 0,
            reason: None,
        });
        let supervisor = Self {
            launch,
            machine: Machine::running(policy),
            process: Some(process),
            since: Instant::now(),
            wait: Duration::ZERO,
            leaving: false,
            inbox,
            status,
        };
        (supervisor, orders, seen)
    }

    /// Runs until it is told to stop.
    pub(crate) async fn run(mut self) {
        loop {
            match self.next_event().await {
                Event::Ended(exit) => self.ended(exit),
                Event::Started(Ok(())) => self.serving(),
                Event::Started(Err(e)) => {
                    self.process = None;
                    self.lost(Duration::ZERO, &e.to_string());
                }
                Event::Due => self.start_process().await,
                Event::Asked(Order::Stop, reply) => {
                    self.down(Order::Terminate).await;
                    // The run directory must be gone when the caller goes on.
                    drop(self);
                    drop(reply.send(Ok(())));
                    return;
                }
                Event::Asked(order, reply) => {
                    let outcome = self.obey(order).await;
                    // A caller that has stopped waiting does not need the answer.
                    drop(reply.send(outcome));
                }
                Event::Abandoned => return self.down(Order::Terminate).await,
            }
        }
    }

    /// Cancel-safe: what is not returned goes on by itself (the process) or is computed anew (the wait).
    async fn next_event(&mut self) -> Event {
        let phase = self.machine.phase();
        let Self {
            launch,
            process,
            inbox,
            wait,
            since,
            ..
        } = self;
        let progress = async {
            match (phase, process) {
                (Phase::Starting, Some(process)) => Event::Started(launch.ready(process).await),
                (_, Some(process)) => Event::Ended(process.wait().await),
                (Phase::BackingOff, None) => {
                    sleep(wait.saturating_sub(since.elapsed())).await;
                    Event::Due
                }
                (_, None) => pending().await,
            }
        };
        tokio::select! {
            event = progress => event,
            asked = inbox.recv() => match asked {
                Some((order, reply)) => Event::Asked(order, reply),
                None => Event::Abandoned,
            },
        }
    }

    fn ended(&mut self, exit: std::io::Result<Exit>) {
        self.process = None;
        self.launch.gone();
        let how = exit.map_or_else(|e| e.to_string(), |exit| exit.to_string());
        if std::mem::take(&mut self.leaving) {
            self.machine.told_down();
            self.show(None);
        } else {
            self.lost(self.since.elapsed(), &format!("it ended by itself ({how})"));
        }
    }

    fn lost(&mut self, ran: Duration, reason: &str) {
        match self.machine.lost(ran, fastrand::f64()) {
            Next::StartAfter(wait) => {
                tracing::warn!(?wait, "nats-server is started again: {reason}");
                self.wait = wait;
                self.since = Instant::now();
            }
            Next::GiveUp => tracing::error!("nats-server is given up: {reason}"),
        }
        self.show(Some(reason.to_owned()));
    }

    fn serving(&mut self) {
        self.machine.ready();
        self.since = Instant::now();
        self.leaving = false;
        self.status.send_modify(|status| status.restarts += 1);
        self.show(None);
    }

    /// Starts the process for the machine; the loop then waits for it to be ready.
    async fn start_process(&mut self) {
        self.machine.due();
        match self.launch.spawn().await {
            Ok(process) => {
                self.process = Some(process);
                let reason = self.status.borrow().reason.clone();
                self.show(reason);
            }
            Err(e) => self.lost(Duration::ZERO, &e.to_string()),
        }
    }

    async fn obey(&mut self, order: Order) -> Result<(), EmbeddedError> {
        match order {
            Order::Terminate | Order::Kill | Order::Stop => self.down(order).await,
            Order::Start if self.machine.phase() == Phase::Running => {}
            Order::Start => return self.up().await,
            Order::Restart => {
                self.down(Order::Terminate).await;
                return self.up().await;
            }
            Order::LameDuck => {
                if let Some(process) = &self.process {
                    self.leaving = true;
                    process.signal(Signal::USR2);
                }
            }
        }
        Ok(())
    }

    async fn down(&mut self, how: Order) {
        if let Some(mut process) = self.process.take() {
            if how == Order::Kill {
                self.launch.kill(&mut process).await;
            } else {
                self.launch.terminate(&mut process).await;
            }
        }
        self.leaving = false;
        self.machine.told_down();
        self.show(None);
    }

    /// A start on request: done before anything else is, and its failure is the caller's.
    async fn up(&mut self) -> Result<(), EmbeddedError> {
        let left_over = self.process.take();
        if let Some(mut process) = left_over {
            self.launch.kill(&mut process).await;
        }
        self.machine.told_to_start();
        self.show(None);
        match self.launch_now().await {
            Ok(process) => {
                self.process = Some(process);
                self.serving();
                Ok(())
            }
            Err(e) => {
                self.machine.refused();
                self.show(Some(e.to_string()));
                Err(e)
            }
        }
    }

    async fn launch_now(&mut self) -> Result<Process, EmbeddedError> {
        let mut process = self.launch.spawn().await?;
        self.launch.ready(&mut process).await?;
        Ok(process)
    }

    fn show(&self, reason: Option<String>) {
        self.status.send_modify(|status| {
            status.phase = self.machine.phase();
            status.pid = self.process.as_ref().map(raw_pid);
            status.reason = reason;
        });
    }
}

fn raw_pid(process: &Process) -> u32 {
    process.pid().as_raw_nonzero().get().unsigned_abs()
}
