//! Finds or fetches nats-server and runs it as a supervised child.
