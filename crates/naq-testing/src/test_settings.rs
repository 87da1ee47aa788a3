//! Settings for tests: as in production, with waits short enough that a failure shows within seconds.

use std::time::Duration;

use naq_config::Settings;

const SECOND: Duration = Duration::from_secs(1);

/// Far more than the start of a server takes, so that a busy machine is no failure.
pub(crate) const START: Duration = Duration::from_secs(60);

/// Settings that point at `servers` and keep `replicas` copies.
pub(crate) fn settings(servers: Vec<String>, replicas: u8) -> Settings {
    let mut settings = Settings::default();
    let nats = &mut settings.nats;
    nats.servers = servers;
    nats.client_name = "naq-test".to_owned();
    nats.reconnect_time_wait = Duration::from_millis(50);
    nats.connection_timeout = 5 * SECOND;
    nats.drain_timeout = 5 * SECOND;
    nats.flush_timeout = 5 * SECOND;
    nats.request_timeout = 5 * SECOND;
    nats.ping_interval = SECOND;
    // A machine that is busy for some seconds shall not have a job done twice.
    settings.queues.ack_wait = 6 * SECOND;
    settings.queues.replicas = replicas;
    settings.results.replicas = replicas;
    settings.workers.heartbeat_interval = Duration::from_millis(200);
    settings.workers.ttl = 2 * SECOND;
    settings.workers.max_job_duration = 30 * SECOND;
    settings.workers.shutdown_timeout = 5 * SECOND;
    settings
}
