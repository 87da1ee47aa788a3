//! Exclusive connections of the service.

use std::panic::Location;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::handle::ConnectionService;
use crate::error::{ConnectionError, ConnectionErrorKind, Operation};
use crate::exclusive::{Exclusive, ExclusivePool, Source, Stay};
use crate::lane::Lane;
use crate::lease::Connection;
use crate::monitor::Place;
use crate::slot::Slot;

/// The name of their lane in metrics and records.
const LANE: &str = "exclusive";

impl ConnectionService {
    /// Dials a connection that nobody else uses, with the settings of `profile`; the server lists it as
    /// `<client_name> (exclusive)`.
    ///
    /// At most `max_exclusive` of the [builder](Self::builder) exist at a time; further callers wait their turn for
    /// up to `connection_timeout`. Cancel safe.
    ///
    /// ```no_run
    /// # async fn run(service: naq_connection::ConnectionService) -> Result<(), naq_connection::ConnectionError> {
    /// use std::time::Duration;
    /// use naq_connection::DEFAULT_PROFILE;
    ///
    /// let own = service.exclusive(DEFAULT_PROFILE).await?;
    /// own.publish("reports", "done").await?;
    /// let report = own.close(Duration::from_secs(5)).await;
    /// assert_eq!(report.unconfirmed, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Deadline`: no turn in time, a retry may help. Otherwise as
    /// [`connection_for`](Self::connection_for).
    #[track_caller]
    pub fn exclusive(
        &self,
        profile: &str,
    ) -> impl Future<Output = Result<Exclusive, ConnectionError>> + Send {
        let (at, source) = (Location::caller(), self.source(profile));
        async move { Exclusive::open(&source, at).await }
    }

    /// A pool of at most `size` exclusive connections (at least one), which count towards `max_exclusive`. Nothing is dialled yet.
    ///
    /// # Errors
    /// `UnknownProfile`, `InvalidSettings`.
    pub fn exclusive_pool(
        &self,
        profile: &str,
        size: u32,
    ) -> Result<ExclusivePool, ConnectionError> {
        self.slot(profile, Lane::Control)?.plan()?;
        let source = Box::new(self.source(profile));
        Ok(ExclusivePool::new(size.max(1), source))
    }

    fn source(&self, profile: &str) -> OfProfile {
        OfProfile {
            service: self.clone(),
            profile: profile.to_owned(),
        }
    }
}

struct OfProfile {
    service: ConnectionService,
    profile: String,
}

impl OfProfile {
    async fn admit(&self) -> Result<Stay, ConnectionError> {
        let (inner, profile) = (&self.service.inner, &*self.profile);
        let slot = self.service.slot(profile, Lane::Control)?;
        let plan = slot.plan()?.load_full();
        let settings = &plan.settings;
        let runtime = Handle::try_current().map_err(|error| {
            let kind = ConnectionErrorKind::NoRuntime;
            ConnectionError::with_source(kind, "connections are made by tasks of a runtime", error)
        })?;
        let limit = settings.connection_timeout;
        let place = timeout(limit, inner.janitor.place()).await;
        let place = place.map_err(|_elapsed| {
            let operation = Operation::Start;
            ConnectionError::new(
                ConnectionErrorKind::Deadline { operation },
                format!("`max_exclusive` connections were in use for {limit:?}"),
            )
        })?;
        let place = place.ok_or_else(|| {
            let kind = ConnectionErrorKind::ShuttingDown;
            ConnectionError::new(kind, "the service gives no new connections")
        })?;
        let slot = Slot::new(
            inner.monitor.meter(profile, LANE),
            None,
            Ok(plan.named(LANE)),
            self.service.context(),
        );
        Ok(Stay::new(
            &inner.janitor,
            place,
            slot,
            runtime,
            settings.drain_timeout,
        ))
    }
}

impl Source for OfProfile {
    fn stay(&self) -> BoxFuture<'_, Result<Stay, ConnectionError>> {
        self.admit().boxed()
    }

    fn take(
        &self,
        slot: Arc<Slot>,
        at: Place,
    ) -> BoxFuture<'_, Result<Connection, ConnectionError>> {
        async move { self.service.take(slot, at).await }.boxed()
    }
}
