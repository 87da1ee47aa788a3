//! Pools of exclusive connections, to compare with.

use async_nats::Client;
use async_nats::connection::State;
use deadpool::managed::{Metrics, RecycleError, RecycleResult};

use crate::Outcome;
use crate::raw;

/// Makes clients of one server for either pool.
#[derive(Debug, Clone)]
pub(crate) struct Maker {
    pub(crate) url: String,
}

/// Of the pools: an error of theirs.
type PoolError = Box<dyn std::error::Error + Send + Sync>;

impl deadpool::managed::Manager for Maker {
    type Type = Client;
    type Error = PoolError;

    async fn create(&self) -> Result<Client, PoolError> {
        raw::connect(&self.url).await
    }

    async fn recycle(&self, client: &mut Client, _: &Metrics) -> RecycleResult<PoolError> {
        if client.connection_state() == State::Connected {
            Ok(())
        } else {
            Err(RecycleError::message("not connected"))
        }
    }
}

impl bb8::ManageConnection for Maker {
    type Connection = Client;
    type Error = PoolError;

    async fn connect(&self) -> Result<Client, PoolError> {
        raw::connect(&self.url).await
    }

    async fn is_valid(&self, client: &mut Client) -> Result<(), PoolError> {
        if self.has_broken(client) {
            Err("not connected".into())
        } else {
            Ok(())
        }
    }

    fn has_broken(&self, client: &mut Client) -> bool {
        client.connection_state() != State::Connected
    }
}

pub(crate) type Deadpool = deadpool::managed::Pool<Maker>;
pub(crate) type Bb8 = bb8::Pool<Maker>;

/// A full pool of `size`.
pub(crate) async fn deadpool(url: &str, size: usize) -> Outcome<Deadpool> {
    let maker = Maker {
        url: url.to_owned(),
    };
    let pool = Deadpool::builder(maker).max_size(size).build()?;
    let all = (0..size).map(|_| pool.get());
    let all = futures::future::try_join_all(all).await;
    drop(all.map_err(|error| error.to_string())?);
    Ok(pool)
}

/// A full pool of `size`.
pub(crate) async fn bb8(url: &str, size: u32) -> Outcome<Bb8> {
    let maker = Maker {
        url: url.to_owned(),
    };
    let pool = Bb8::builder().max_size(size).min_idle(size);
    pool.build(maker).await
}
