//! `server find` and `server fetch`: the nats-server that the tests and the demo would take.

use naq_embedded::{Lookup, ServerBinary};

/// Which places are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Places {
    /// All, as the tests do.
    All,
    /// Only the cache, filled if it is empty.
    Cache,
}

/// Prints the path, the version and the place of the server; fetches it if it is nowhere.
pub(crate) fn run(places: Places) -> Result<(), String> {
    let mut lookup = Lookup::from_process_env();
    if places == Places::Cache {
        lookup.nats_server = None;
        lookup.path = None;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("failed to start a runtime: {error}"))?;
    let ServerBinary {
        path,
        version,
        place,
    } = runtime
        .block_on(lookup.find())
        .map_err(|error| error.to_string())?;
    println!("{} ({version}, {place})", path.display());
    Ok(())
}
