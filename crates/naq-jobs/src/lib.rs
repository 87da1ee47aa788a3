//! Background jobs on NATS JetStream: enqueue, worker, results, dead letters.
