//! The table, one file per section. A new key is one line here and one field in `settings`.

mod events;
mod nats;
mod payloads;
mod queues;
mod results;
mod table;
mod workers;

use table::key;

pub(crate) use table::keys;
