//! What every command gets: the global flags, the output, and the way to the server.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use naq::config::Loaded;
use naq::connection::{ConnectionService, DEFAULT_PROFILE, StartMode};
use naq::{ConfigError, Jobs, Loader, Settings};

use crate::error::CliError;
use crate::logging::{self, Level};
use crate::output::{ColorChoice, Output};

/// Flags of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// Read this configuration file and no other
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Use this profile of the configuration (also: NAQ_ENVIRONMENT)
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,

    /// Server to connect to; several with commas (also: NAQ_NATS_URL)
    #[arg(short = 'u', long, global = true, value_name = "URL")]
    pub(crate) nats_url: Option<String>,

    /// How much is logged on standard error (also: NAQ_LOG_LEVEL) [default: info for `worker`, else warn]
    #[arg(
        short = 'l',
        long,
        global = true,
        value_name = "LEVEL",
        hide_possible_values = false
    )]
    pub(crate) log_level: Option<Level>,

    /// When to use colours (also: NO_COLOR)
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorChoice,
}

impl Globals {
    /// The flags that say which configuration counts, for another process of this program.
    pub(crate) fn again(&self) -> Vec<OsString> {
        let mut flags = Vec::new();
        let mut add = |flag: &str, value: OsString| flags.extend([OsString::from(flag), value]);
        if let Some(file) = &self.config {
            add("--config", file.into());
        }
        if let Some(profile) = &self.profile {
            add("--profile", profile.into());
        }
        if let Some(url) = &self.nats_url {
            add("--nats-url", url.into());
        }
        flags
    }
}

/// What every command gets.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) globals: Globals,
    pub(crate) output: Output,
}

impl Context {
    pub(crate) fn new(globals: Globals) -> Self {
        let output = Output::new(globals.color);
        Self { globals, output }
    }

    /// Starts logging, with a level for those who name none.
    pub(crate) fn start_logging(&self, default: Level, more: &str) {
        // Logging has not begun, and no command fails for it.
        let wanted = logging::from_environment().unwrap_or_else(|wrong| {
            self.output.note(format!("warning: {wrong}"));
            None
        });
        let chosen = self.globals.log_level.or(wanted);
        let more = if chosen.is_none() { more } else { "" };
        logging::start(
            chosen.unwrap_or(default),
            more,
            self.output.err_has_colors(),
        );
    }

    /// The settings: files, profile, environment, flags.
    pub(crate) fn settings(&self) -> Result<Settings, CliError> {
        self.settings_with(|loader| loader)
    }

    /// As [`Self::settings`], with flags of the command.
    pub(crate) fn settings_with(
        &self,
        flags: impl FnOnce(Loader) -> Loader,
    ) -> Result<Settings, CliError> {
        Ok(self.load(None, flags)?.settings)
    }

    /// The settings with their origins.
    pub(crate) fn loaded(&self) -> Result<Loaded, CliError> {
        Ok(self.loaded_from(None)?)
    }

    /// As [`Self::loaded`], from this file and no other if one is named.
    pub(crate) fn loaded_from(&self, file: Option<&Path>) -> Result<Loaded, ConfigError> {
        self.load(file, |loader| loader)
    }

    fn load(
        &self,
        file: Option<&Path>,
        flags: impl FnOnce(Loader) -> Loader,
    ) -> Result<Loaded, ConfigError> {
        let mut loader = match file.or(self.globals.config.as_deref()) {
            Some(file) => Loader::new().file(file),
            None => Loader::new().standard_files(),
        };
        loader = loader.process_env();
        if let Some(profile) = &self.globals.profile {
            loader = loader.profile(profile);
        }
        if let Some(url) = &self.globals.nats_url {
            loader = loader.set_by("--nats-url", "nats.servers", url);
        }
        flags(loader).load()
    }

    /// What most commands are: starts logging, connects, lets `command` act, and closes the connections however it ends.
    pub(crate) async fn with_jobs<T>(
        &self,
        command: impl AsyncFnOnce(&Jobs) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        self.start_logging(Level::Warn, logging::ERRORS_ARE_SHOWN);
        let jobs = self.jobs().await?;
        // Boxed for the same reason as the dialling.
        let done = Box::pin(command(&jobs)).await;
        jobs.shutdown().await;
        done
    }

    /// Connects to the configured server.
    pub(crate) async fn jobs(&self) -> Result<Jobs, CliError> {
        connect(self.settings()?).await
    }
}

/// Connects at once, so that a server that is not there shows here.
pub(crate) async fn connect(settings: Settings) -> Result<Jobs, CliError> {
    // Boxed: the ways of dialling make a large future, and this one is held by every command.
    let service = ConnectionService::builder().profile(DEFAULT_PROFILE, settings.nats.clone());
    let service = Box::pin(service.start(StartMode::FailFast))
        .await
        .map_err(|error| CliError::unreachable(&settings.nats.servers, &error))?;
    Ok(Box::pin(Jobs::on(service, settings)).await?)
}
