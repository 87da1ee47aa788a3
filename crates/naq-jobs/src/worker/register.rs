//! What a worker is given before it starts: handlers, what they share, what is around them.

use std::sync::Arc;

use naq_config::settings::CommandHandler;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_layer::Layer;
use tower_service::Service;

use super::handler::{
    AttemptReply, AttemptRequest, AttemptService, Blocking, CommandJob, Handler, Typed, stack,
};
use super::{JobContext, JobError, Worker};
use crate::model::{Kind, KindName};
use crate::{JobsError, JobsErrorKind};

/// A function under `#[naq::job]`: it knows its kind, and how it is registered.
pub trait JobFunction {
    /// Registers it; see [`Worker::register`].
    fn register(self, worker: Worker) -> Worker;
}

impl Worker {
    /// Registers an async function for a kind. A second one for the same kind replaces the first.
    ///
    /// The function takes what it wants from the worker ([`JobContext`], [`crate::State`], your own [`crate::FromJob`]) and then
    /// the arguments; without arguments (`A = ()`) those can be left out.
    ///
    /// ```no_run
    /// use naq_jobs::{JobContext, JobError, Jobs, Kind, State};
    ///
    /// const GREET: Kind<String, String> = Kind::new("greet");
    /// const TICK: Kind<(), ()> = Kind::new("tick");
    ///
    /// async fn greet(State(word): State<&'static str>, job: JobContext, name: String) -> Result<String, JobError> {
    ///     Ok(format!("{word} {name}, attempt {}", job.attempt()))
    /// }
    ///
    /// async fn tick() -> Result<(), JobError> {
    ///     Ok(())
    /// }
    ///
    /// # async fn example(jobs: Jobs) -> Result<(), naq_jobs::JobsError> {
    /// let worker = jobs.worker().state("Hello").handle(GREET, greet).handle(TICK, tick).start().await?;
    /// # drop(worker);
    /// # Ok(())
    /// # }
    /// ```
    pub fn handle<A, R, H, M>(mut self, kind: Kind<A, R>, handler: H) -> Self
    where
        A: DeserializeOwned + 'static,
        R: 'static,
        H: Handler<M, A, R>,
        M: 'static,
    {
        self.suggested.extend(kind.queue.map(str::to_owned));
        let handler = Typed::<H, M, A, R>::new(handler);
        self.registry
            .insert(kind.name(), kind.version, Arc::new(handler));
        self
    }

    /// Registers a function that blocks: it runs on a thread of this worker, of which there are as many as slots.
    ///
    /// The lease is renewed meanwhile. A thread cannot be stopped: when the job is cancelled or its time is up, the attempt ends and
    /// the slot is free, but the thread goes on until the function returns. So look at [`JobContext::is_cancelled`] in long loops.
    pub fn handle_blocking<A, R, F, E>(mut self, kind: Kind<A, R>, function: F) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        R: Serialize + 'static,
        F: Fn(JobContext, A) -> Result<R, E> + Send + Sync + 'static,
        E: Into<JobError> + 'static,
    {
        self.suggested.extend(kind.queue.map(str::to_owned));
        let handler = Blocking::<F, A, R>::new(function, self.threads.clone());
        self.registry
            .insert(kind.name(), kind.version, Arc::new(handler));
        self
    }

    /// Registers a program for a kind; see `workers.handlers` in the settings.
    pub fn handle_command(mut self, kind: &KindName, handler: CommandHandler) -> Self {
        let handler = Arc::new(CommandJob::new(handler));
        self.registry.insert(kind.as_str(), 1, handler);
        self
    }

    /// Registers all programs of `workers.handlers`.
    ///
    /// # Errors
    /// [`JobsErrorKind::InvalidName`] for an impossible kind. A retry does not help.
    pub fn handle_configured_commands(mut self) -> Result<Self, JobsError> {
        for (kind, handler) in self.link.settings().workers.handlers.clone() {
            let kind = KindName::new(kind).map_err(|e| {
                JobsError::new(JobsErrorKind::InvalidName, "read `workers.handlers`").because(e)
            })?;
            self = self.handle_command(&kind, handler);
        }
        Ok(self)
    }

    /// Registers a function under `#[naq::job]`.
    pub fn register(self, function: impl JobFunction) -> Self {
        function.register(self)
    }

    /// Gives the handlers a value that they ask for as [`crate::State`]; one of each type.
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.states.insert(value);
        self
    }

    /// Puts a `tower` layer around every attempt; a later one is around those before it.
    ///
    /// It is inside the job's time limit, its cancel, and the catching of panics. An error of the layer's own is one of the
    /// attempt. The service must be `Clone`: each attempt gets a clone.
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<AttemptService>,
        L::Service: Service<AttemptRequest, Response = AttemptReply> + Clone + Send + 'static,
        <L::Service as Service<AttemptRequest>>::Error:
            Into<Box<dyn std::error::Error + Send + Sync>>,
        <L::Service as Service<AttemptRequest>>::Future: Send,
    {
        self.layers = Some(stack(self.layers.take(), &layer));
        self
    }

    /// Makes payloads of version `from` into those of the next one, for a kind that was registered before. See [`Kind::version`].
    ///
    /// ```no_run
    /// use naq_jobs::{JobError, Jobs, Kind};
    ///
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct Mail {
    ///     to: String,
    ///     lang: String,
    /// }
    ///
    /// const MAIL: Kind<Mail, ()> = Kind::new("mail").version(2);
    ///
    /// # async fn example(jobs: Jobs) -> Result<(), naq_jobs::JobsError> {
    /// let worker = jobs
    ///     .worker()
    ///     .handle(MAIL, async |_: Mail| Ok::<_, JobError>(()))
    ///     // The first version was only the address.
    ///     .upcast(MAIL, 1, |to: String| Mail { to, lang: "en".to_owned() })
    ///     .start()
    ///     .await?;
    /// # drop(worker);
    /// # Ok(())
    /// # }
    /// ```
    pub fn upcast<A, R, Old, New>(
        mut self,
        kind: Kind<A, R>,
        from: u32,
        step: impl Fn(Old) -> New + Send + Sync + 'static,
    ) -> Self
    where
        Old: DeserializeOwned,
        New: Serialize,
    {
        if !self.registry.upcast(kind.name(), from, step) {
            self.problems.push(format!(
                "take payloads of version {from} of {}: register its handler first, then `upcast`",
                kind.name()
            ));
        }
        self
    }

    /// Runs jobs of the kind `old`, as it was once called, with the handler of `kind`.
    pub fn alias<A, R>(mut self, old: impl AsRef<str>, kind: Kind<A, R>) -> Self {
        self.registry.alias(old.as_ref(), kind.name());
        self
    }
}
