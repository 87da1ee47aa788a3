//! Tells of leases that stay out for too long, once each.

use std::time::Duration;

use super::handle::ConnectionMonitor;
use super::leases::LeaseInfo;
use super::moment::Moment;

/// Between two looks at least this share of the threshold passes.
const PACE: u32 = 20;

/// Watches until it is dropped. Sleeps until the oldest lease that nobody was told of is due, and,
/// where there is none, until the next lease.
pub(crate) async fn watch(monitor: ConnectionMonitor, threshold: Duration) {
    let alarm = monitor.alarm();
    loop {
        alarm.fall_asleep();
        match look(&monitor, threshold) {
            Some(next) => {
                alarm.stay_awake();
                tokio::time::sleep(next.max(threshold / PACE)).await;
            }
            None => alarm.rung().await,
        }
    }
}

/// Tells what is due; returns the time until the next one is.
fn look(monitor: &ConnectionMonitor, threshold: Duration) -> Option<Duration> {
    let (mut due, mut next): (Vec<LeaseInfo>, Option<Duration>) = (Vec::new(), None);
    let now = Moment::now();
    for meter in monitor.meters() {
        meter.leases.each(|entry| {
            if entry.told {
                return;
            }
            match threshold.checked_sub(now.since(entry.since)) {
                Some(left) if !left.is_zero() => {
                    next = Some(next.map_or(left, |next| next.min(left)));
                }
                _ => {
                    entry.told = true;
                    due.push(meter.info(entry));
                }
            }
        });
    }
    for lease in due {
        tracing::warn!(
            profile = &*lease.profile,
            lane = lease.lane,
            location = %lease.location,
            age = ?lease.age,
            "a lease is out for too long: was it forgotten?"
        );
    }
    next
}
