//! The examples of the book, compiled and, unless a page says why not, run against a real server.
//!
//! Each chapter is the documentation of an item below, so `cargo test -p naq-book` takes every fence marked `rust` for a
//! test of its own. Lines that begin with `#` are hidden in the book: they put the example on a [`stage`], where a server
//! runs and the global service leads to it.

pub mod stage;

pub use stage::{Error, Stage, run, run_on};

macro_rules! chapters {
    ($($name:ident: $page:literal,)*) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!($page)]
            pub struct $name;
        )*
    };
}

chapters! {
    Introduction: "src/introduction.md",
    FirstJob: "src/jobs/first.md",
    Enqueueing: "src/jobs/enqueue.md",
    Handlers: "src/jobs/handlers.md",
    Failures: "src/jobs/failures.md",
    Limits: "src/jobs/limits.md",
    Schedules: "src/jobs/schedules.md",
    Workflows: "src/jobs/workflows.md",
    Watching: "src/jobs/watching.md",
    Running: "src/jobs/running.md",
    ApiGuide: "src/api/connection.md",
    BestPractices: "src/best-practices.md",
    Operations: "src/operations.md",
    FromPython: "src/migration/python.md",
    FromAsyncNats: "src/migration/async-nats.md",
    FromAPool: "src/migration/pools.md",
}
