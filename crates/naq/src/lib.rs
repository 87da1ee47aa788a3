//! Background jobs and connection management on NATS JetStream.
