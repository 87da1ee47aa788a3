//! Leases on shared NATS connections: single-flight dialling, jittered reconnect, deadlines, confirmed flush.
