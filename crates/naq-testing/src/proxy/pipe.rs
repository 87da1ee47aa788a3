//! Carries bytes one way: delays them, paces them, holds them back.
//!
//! What was read waits in a short queue together with the time at which it may leave, so that a
//! latency costs no throughput until the queue is full.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::orders::{Direction, Orders};
use super::tally::Tally;

const CHUNK: usize = 16 * 1024;
/// Chunks under way. Together with the size of one it bounds what a link holds, and with that the
/// speed of a link with latency: 256 KiB per latency.
const UNDER_WAY: usize = 16;

struct Chunk {
    bytes: Vec<u8>,
    leaves: Instant,
}

/// One way of one connection.
pub(super) struct Pipe<'a> {
    pub(super) direction: Direction,
    pub(super) orders: watch::Receiver<Orders>,
    pub(super) tally: &'a Tally,
}

impl Pipe<'_> {
    /// Carries until `from` ends, and passes the end on.
    pub(super) async fn carry(
        self,
        from: impl AsyncRead + Unpin,
        to: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let (queue, queued) = mpsc::channel(UNDER_WAY);
        let taking = take_in(from, queue, self.orders.clone());
        tokio::try_join!(taking, self.give_out(queued, to)).map(drop)
    }

    async fn give_out(
        mut self,
        mut queued: mpsc::Receiver<Chunk>,
        mut to: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let mut free = Instant::now();
        while let Some(chunk) = queued.recv().await {
            sleep_until(chunk.leaves).await;
            let mut rest = chunk.bytes.as_slice();
            while !rest.is_empty() {
                self.until_flowing().await;
                let pace = self.orders.borrow().pace;
                let (piece, later) = rest.split_at(rest.len().min(pace.piece()));
                sleep_until(free).await;
                to.write_all(piece).await?;
                free = free.max(Instant::now()) + pace.time_for(piece.len());
                self.tally.passed(self.direction, piece.len());
                rest = later;
            }
        }
        self.until_flowing().await;
        to.shutdown().await
    }

    async fn until_flowing(&mut self) {
        let direction = self.direction;
        let flowing = |orders: &Orders| !orders.stalled.of(direction);
        // An error means that the proxy is gone, and this pipe with it in a moment.
        drop(self.orders.wait_for(flowing).await);
    }
}

async fn take_in(
    mut from: impl AsyncRead + Unpin,
    queue: mpsc::Sender<Chunk>,
    orders: watch::Receiver<Orders>,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        // Space first: what nobody takes must stay with the sender.
        let Ok(place) = queue.reserve().await else {
            return Ok(());
        };
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        let latency = orders.borrow().pace.latency;
        place.send(Chunk {
            bytes: buffer[..read].to_vec(),
            leaves: Instant::now() + latency,
        });
    }
}
