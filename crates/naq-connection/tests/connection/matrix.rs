//! Every way to leave a scope, with everything that a scope can hold, on a server that is up, down,
//! or comes and goes: nothing is left.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use naq_config::settings::NatsSettings;
use naq_connection::{
    BucketConfig, Connection, ConnectionError, ConnectionService, DEFAULT_PROFILE, Exclusive,
    KvStore, Subscription,
};
use naq_testing::FaultProxy;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::server::TestServer;
use crate::sockets::open_to;
use crate::{settings, until};

const BUCKET: &str = "matrix";

#[derive(Debug, Clone, Copy)]
enum Ending {
    Ok,
    Error,
    Panic,
    Cancel,
}

#[derive(Debug, Clone, Copy)]
enum Holding {
    Lease,
    Bucket,
    Subscription,
    Exclusive,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Link {
    Up,
    Down,
    Flapping,
}

const ENDINGS: [Ending; 4] = [Ending::Ok, Ending::Error, Ending::Panic, Ending::Cancel];
const HOLDINGS: [Holding; 4] = [
    Holding::Lease,
    Holding::Bucket,
    Holding::Subscription,
    Holding::Exclusive,
];

struct Matrix {
    server: TestServer,
    proxy: FaultProxy,
    service: ConnectionService,
}

/// What a cell may leave behind: what was there before it.
#[derive(Debug, PartialEq)]
struct Remains {
    leases: usize,
    tasks: usize,
    sockets: usize,
    connections: usize,
    subscriptions: u64,
}

impl Matrix {
    async fn new() -> Self {
        let server = TestServer::start().await;
        let proxy = FaultProxy::to(&server.url());
        let service = ConnectionService::new(NatsSettings {
            // The server is down in many cells: calls shall not wait for it long.
            request_timeout: Duration::from_millis(100),
            reconnect_time_wait: Duration::from_millis(100),
            ..settings(&proxy.url())
        });
        let config = BucketConfig {
            bucket: BUCKET.to_owned(),
            storage: async_nats::jetstream::stream::StorageType::Memory,
            ..BucketConfig::default()
        };
        until("there is a bucket", async || {
            let bucket = service.kv(BUCKET).create_if_missing(config.clone());
            bucket.await.is_ok()
        })
        .await;
        Self {
            server,
            proxy,
            service,
        }
    }

    async fn remains(&self) -> Remains {
        let clients = self.server.connections().await;
        Remains {
            leases: self.service.leases(),
            tasks: Handle::current().metrics().num_alive_tasks(),
            sockets: open_to(self.proxy.port()),
            connections: clients.len(),
            subscriptions: clients
                .iter()
                .map(|client| client["subscriptions"].as_u64().unwrap())
                .sum(),
        }
    }

    async fn cell(&self, link: Link, holding: Holding, ending: Ending) {
        if link == Link::Down {
            self.proxy.refuse();
            self.proxy.cut();
            until("the link is down", async || !self.is_connected()).await;
        }
        let scopes = scopes(&self.service, holding, ending);
        if link == Link::Flapping {
            let flapping = async {
                loop {
                    self.proxy.cut();
                    // The pace is what is tested: some calls find the link, some lose it.
                    sleep(Duration::from_millis(15)).await;
                }
            };
            tokio::select! { () = scopes => {}, () = flapping => {} }
        } else {
            scopes.await;
        }
        self.proxy.accept();
        until("the link is up", async || {
            self.is_connected() && self.proxy.connections() == 1
        })
        .await;
    }

    fn is_connected(&self) -> bool {
        self.service.state_of("default").unwrap().is_connected()
    }
}

impl Holding {
    fn scopes(self) -> usize {
        match self {
            // Each is a connection, and there is a limit to those.
            Self::Exclusive => 8,
            Self::Lease | Self::Bucket | Self::Subscription => 40,
        }
    }
}

/// What a scope holds to its end, if it could be had.
#[expect(dead_code, reason = "held, not used")]
enum Held {
    Bucket(KvStore),
    Subscription(Subscription),
    Exclusive(Exclusive),
}

/// Runs scopes until all have ended this way.
async fn scopes(service: &ConnectionService, holding: Holding, ending: Ending) {
    let (mut tasks, inside) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
    for _ in 0..holding.scopes() {
        let (service, inside) = (service.clone(), Arc::clone(&inside));
        tasks.spawn(async move { scope(&service, &inside, holding, ending).await });
    }
    if let Ending::Cancel = ending {
        until("all are inside", async || {
            inside.load(Ordering::SeqCst) == holding.scopes()
        })
        .await;
        tasks.abort_all();
    }
    while let Some(ended) = tasks.join_next().await {
        match ending {
            Ending::Ok => ended.unwrap().unwrap(),
            Ending::Error => drop(ended.unwrap().unwrap_err()),
            Ending::Panic => assert!(ended.unwrap_err().is_panic()),
            Ending::Cancel => assert!(ended.unwrap_err().is_cancelled()),
        }
    }
}

async fn scope(
    service: &ConnectionService,
    inside: &AtomicUsize,
    holding: Holding,
    ending: Ending,
) -> Result<(), ConnectionError> {
    let connection = service.connection().await?;
    // What is done inside may fail, as the server may be away: the scope ends as planned.
    let _held = hold(service, &connection, holding).await;
    inside.fetch_add(1, Ordering::SeqCst);
    match ending {
        Ending::Ok => Ok(()),
        Ending::Error => connection.publish("not valid", "x").await,
        // As `panic!`, without its message.
        Ending::Panic => std::panic::resume_unwind(Box::new("as planned")),
        Ending::Cancel => std::future::pending().await,
    }
}

async fn hold(service: &ConnectionService, lease: &Connection, what: Holding) -> Option<Held> {
    match what {
        Holding::Lease => {
            lease.publish("matrix", "x").await.ok()?;
            None
        }
        Holding::Bucket => {
            let bucket = service.kv(BUCKET).await.ok()?;
            let _put = bucket.put("key", "x").await;
            Some(Held::Bucket(bucket))
        }
        Holding::Subscription => {
            let mut own = lease.subscribe("matrix.own").await.ok()?;
            let _sent = lease.publish("matrix.own", "x").await;
            let limit = Duration::from_millis(50);
            let _heard = tokio::time::timeout(limit, own.next()).await;
            Some(Held::Subscription(own))
        }
        Holding::Exclusive => {
            let own = service.exclusive(DEFAULT_PROFILE).await.ok()?;
            let _sent = own.publish("matrix.exclusive", "x").await;
            Some(Held::Exclusive(own))
        }
    }
}

async fn nothing_is_left(link: Link) {
    let matrix = Matrix::new().await;
    // The first request of a client opens its reply inbox, for good.
    scopes(&matrix.service, Holding::Bucket, Ending::Ok).await;
    let before = matrix.remains().await;
    assert_eq!((before.leases, before.connections), (0, 1), "{before:?}");
    for holding in HOLDINGS {
        for ending in ENDINGS {
            matrix.cell(link, holding, ending).await;
            let deadline = Duration::from_secs(10);
            naq_testing::eventually(deadline, async || {
                let after = matrix.remains().await;
                if after == before {
                    Ok(())
                } else {
                    Err((link, holding, ending, after))
                }
            })
            .await;
        }
    }
}

#[tokio::test]
async fn scopes_of_every_kind_that_end_in_any_way_leave_nothing_behind() {
    nothing_is_left(Link::Up).await;
}

#[tokio::test]
async fn scopes_on_a_dead_server_that_end_in_any_way_leave_nothing_behind() {
    nothing_is_left(Link::Down).await;
}

#[tokio::test]
async fn scopes_on_a_link_that_comes_and_goes_leave_nothing_behind() {
    nothing_is_left(Link::Flapping).await;
}
