//! The profiles of a service at one moment, each with its two lanes.

use std::collections::HashMap;
use std::sync::Arc;

use crate::dial::Plan;
use crate::error::ConnectionError;
use crate::lane::Lane;
use crate::monitor::ConnectionMonitor;
use crate::slot::{Context, Slot};

#[derive(Default)]
pub(super) struct Profiles {
    pub(super) lanes: HashMap<String, Lanes>,
}

/// The connections of a profile.
#[derive(Clone)]
pub(super) struct Lanes {
    pub(super) control: Arc<Slot>,
    pub(super) bulk: Arc<Slot>,
}

impl Profiles {
    pub(super) fn slots(&self) -> impl Iterator<Item = &Arc<Slot>> {
        self.lanes.values().flat_map(Lanes::both)
    }
}

impl Lanes {
    pub(super) fn new(
        profile: &str,
        plan: Result<Plan, ConnectionError>,
        monitor: &ConnectionMonitor,
        context: &Context,
    ) -> Self {
        let slot = |lane: Lane, plan| {
            let meter = monitor.meter(profile, lane.name());
            Slot::new(meter, Some(lane), plan, context.clone())
        };
        let bulk = plan.as_ref().map(Plan::bulk).map_err(Clone::clone);
        Self {
            bulk: slot(Lane::Bulk, bulk),
            control: slot(Lane::Control, plan),
        }
    }

    pub(super) fn get(&self, lane: Lane) -> &Arc<Slot> {
        match lane {
            Lane::Control => &self.control,
            Lane::Bulk => &self.bulk,
        }
    }

    pub(super) fn both(&self) -> [&Arc<Slot>; 2] {
        [&self.control, &self.bulk]
    }
}
