//! What the server reports about itself: the few fields of its monitoring endpoints that tests ask for.

mod connz;
mod jsz;
mod varz;

pub use connz::{Connection, Connz};
pub use jsz::{Consumer, Jsz, Stream};
pub use varz::Varz;

use naq_embedded::EmbeddedServer;
use serde::de::DeserializeOwned;

/// Reads one endpoint; panics if it cannot.
async fn read<T: DeserializeOwned>(server: &EmbeddedServer, path: &str) -> T {
    let json = match server.monitor(path).await {
        Ok(json) => json,
        Err(e) => panic!("the server does not report: {e}"),
    };
    match serde_json::from_value(json) {
        Ok(report) => report,
        Err(e) => panic!("{path} has an unknown form: {e}"),
    }
}
