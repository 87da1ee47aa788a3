//! Breaks the network and the server, in turn, and heals them.

use std::time::Duration;

use naq_embedded::EmbeddedServer;
use naq_testing::FaultProxy;
use tokio::time::sleep;

use crate::Outcome;

const DOWN: Duration = Duration::from_secs(1);

/// One fault and its end. Returns what it was.
pub(super) async fn next(
    number: u32,
    link: &FaultProxy,
    server: &EmbeddedServer,
) -> Outcome<&'static str> {
    match number % 5 {
        0 => {
            link.cut();
            Ok("link cut")
        }
        1 => {
            server.kill().await?;
            sleep(DOWN).await;
            server.start_again().await?;
            Ok("server killed and started")
        }
        2 => {
            link.stall();
            sleep(DOWN).await;
            link.resume();
            Ok("link stalled")
        }
        3 => {
            server.pause().await?;
            sleep(DOWN).await;
            server.resume()?;
            Ok("server frozen")
        }
        _ => {
            link.black_hole();
            sleep(DOWN).await;
            link.accept();
            Ok("black hole")
        }
    }
}
