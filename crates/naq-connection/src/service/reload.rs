//! Other settings for a running service.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures::future::{join, join_all};
use naq_config::settings::NatsSettings;
use tokio::sync::Semaphore;

use super::handle::ConnectionService;
use super::profiles::{Lanes, Profiles};
use crate::dial::{Plan, Provider};
use crate::error::{ConnectionError, ConnectionErrorKind};
use crate::monitor::ConnectionMonitor;
use crate::slot::{Context, Slot};

/// What a reload did, profile by profile, in the order of their names.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReloadReport {
    /// Each profile of the old settings or the new ones.
    pub profiles: Vec<(String, ProfileReload)>,
}

/// What a reload did to one profile.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ProfileReload {
    /// Its settings are the same; nothing was touched.
    Unchanged,
    /// Its settings are new, and its connections, if it had any, are replaced.
    Changed,
    /// It is new, and connects at its first use.
    Added,
    /// It is not in the new settings: it gives no leases any more, and its connections are closed
    /// when the last lease has come back.
    Removed,
    /// No connection could be made by the new settings: the old ones stay, and the connection too.
    Failed(ConnectionError),
}

impl ReloadReport {
    /// Whether every profile is as the new settings say.
    pub fn is_complete(&self) -> bool {
        let failed = |outcome: &ProfileReload| matches!(outcome, ProfileReload::Failed(_));
        !self.profiles.iter().any(|(_, outcome)| failed(outcome))
    }

    /// What was done to `profile`.
    pub fn get(&self, profile: &str) -> Option<&ProfileReload> {
        let found = self.profiles.iter().find(|(name, _)| name == profile);
        found.map(|(_, outcome)| outcome)
    }
}

/// What reloads need to know.
pub(super) struct Reloads {
    providers: HashMap<String, Provider>,
    /// Slots that are in no profile any more, for as long as they have leases.
    removed: Mutex<Vec<Weak<Slot>>>,
    one_at_a_time: Semaphore,
}

impl Reloads {
    pub(super) fn new(providers: HashMap<String, Provider>) -> Self {
        Self {
            providers,
            removed: Mutex::default(),
            one_at_a_time: Semaphore::new(1),
        }
    }

    /// Slots of removed profiles that still have connections.
    pub(super) fn removed(&self) -> Vec<Arc<Slot>> {
        self.lock().iter().filter_map(Weak::upgrade).collect()
    }

    fn remove(&self, lanes: &Lanes) {
        let mut removed = self.lock();
        removed.retain(|slot| slot.strong_count() > 0);
        for slot in lanes.both() {
            slot.remove();
            removed.push(Arc::downgrade(slot));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Slot>>> {
        self.removed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionService {
    /// Goes over to other settings: `profiles` are all the profiles from now on.
    ///
    /// A profile whose settings are the same is not touched. One that changed gets new connections
    /// before the old ones are given up, as in [`rotate`](Self::rotate). A new one connects at its
    /// first use. One that is missing gives no new leases; its old ones go on working. A profile
    /// that cannot be connected by its new settings keeps the old ones; the report says so, and the
    /// others go on. Reloads at the same time take turns. Cancel safe: what has begun goes on, and
    /// another reload does the rest.
    ///
    /// # Errors
    /// `InvalidSettings`: some of them can't be used, and nothing was changed. `ShuttingDown`.
    pub async fn reload(
        &self,
        profiles: impl IntoIterator<Item = (String, NatsSettings)>,
    ) -> Result<ReloadReport, ConnectionError> {
        let plans = self.plans(profiles)?;
        let reloads = &self.inner.reloads;
        let _turn = reloads.one_at_a_time.acquire().await;
        if self.inner.stop.is_cancelled() {
            return Err(ConnectionError::new(
                ConnectionErrorKind::ShuttingDown,
                "the service is being shut down",
            ));
        }
        let old = self.inner.profiles.load_full();
        let mut report = Vec::new();
        for (name, lanes) in &old.lanes {
            if !plans.contains_key(name) {
                report.push((name.clone(), ProfileReload::Removed));
                reloads.remove(lanes);
            }
        }
        let (context, monitor) = (self.context(), &self.inner.monitor);
        let changes = plans.into_iter().map(|(name, plan)| {
            let before = old.lanes.get(&name).cloned();
            let context = context.clone();
            async move {
                let (lanes, outcome) = change(&name, before, plan, monitor, &context).await;
                (name, lanes, outcome)
            }
        });
        let mut lanes = HashMap::new();
        for (name, now, outcome) in join_all(changes).await {
            lanes.insert(name.clone(), now);
            report.push((name, outcome));
        }
        self.inner.profiles.store(Arc::new(Profiles { lanes }));
        report.sort_by(|(one, _), (other, _)| one.cmp(other));
        tracing::info!(?report, "connection settings reloaded");
        Ok(ReloadReport { profiles: report })
    }

    fn plans(
        &self,
        profiles: impl IntoIterator<Item = (String, NatsSettings)>,
    ) -> Result<HashMap<String, Plan>, ConnectionError> {
        let providers = &self.inner.reloads.providers;
        let plans = profiles.into_iter().map(|(name, settings)| {
            let plan = Plan::new(settings)?.with_provider(providers.get(&name).cloned());
            Ok((name, plan))
        });
        plans.collect()
    }

    pub(super) fn context(&self) -> Context {
        Context {
            tasks: self.inner.tasks.clone(),
            stop: self.inner.stop.clone(),
            events: self.inner.events.clone(),
            leases: Arc::clone(&self.inner.leases),
        }
    }
}

async fn change(
    name: &str,
    before: Option<Lanes>,
    plan: Plan,
    monitor: &ConnectionMonitor,
    context: &Context,
) -> (Lanes, ProfileReload) {
    let Some(lanes) = before else {
        return (
            Lanes::new(name, Ok(plan), monitor, context),
            ProfileReload::Added,
        );
    };
    if lanes.control.plan().is_err() {
        // It never had a connection.
        return (
            Lanes::new(name, Ok(plan), monitor, context),
            ProfileReload::Changed,
        );
    }
    let [control, bulk] = lanes.both();
    let outcome = match join(adopt(bulk, plan.bulk()), adopt(control, plan)).await {
        (Ok(false), Ok(false)) => ProfileReload::Unchanged,
        (Ok(_), Ok(_)) => ProfileReload::Changed,
        (Err(error), _) | (_, Err(error)) => ProfileReload::Failed(error),
    };
    (lanes, outcome)
}

/// Whether there was something to change.
async fn adopt(slot: &Arc<Slot>, plan: Plan) -> Result<bool, ConnectionError> {
    if slot.plan()?.load().is_same(&plan) {
        return Ok(false);
    }
    slot.adopt(plan).await.map(|()| true)
}
