//! A real nats-server per test, for the tests of NAQ and of its users.
