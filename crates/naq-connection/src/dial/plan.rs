//! The settings of one profile, checked and made ready for dialling.
//!
//! Credentials are taken out of the URLs here: the client ignores them there, and what does not
//! travel with an address cannot reach a log with it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_nats::ServerAddr;
use naq_config::Secret;
use naq_config::settings::NatsSettings;

use super::auth::Proof;
use super::credentials::Provider;
use crate::error::{ConnectionError, ConnectionErrorKind};

/// The plan that is valid now, shared with the callbacks of the clients.
pub(crate) type Newest = Arc<ArcSwap<Plan>>;

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) settings: NatsSettings,
    pub(crate) endpoints: Vec<Endpoint>,
    provider: Option<Provider>,
}

/// One configured server.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Endpoint {
    pub(crate) addr: ServerAddr,
    credentials: Option<Proof>,
}

impl Plan {
    pub(crate) fn new(mut settings: NatsSettings) -> Result<Self, ConnectionError> {
        let total = settings.servers.len();
        if total == 0 {
            return Err(invalid("no server is configured"));
        }
        let endpoints = settings
            .servers
            .iter()
            .enumerate()
            .map(|(at, url)| {
                Endpoint::parse(url)
                    // The text stays out of the message: it may hold a password.
                    .ok_or_else(|| {
                        invalid(format!("server {} of {total} is not a NATS URL", at + 1))
                    })
            })
            .collect::<Result<Vec<_>, _>>()?;
        check(&settings)?;
        settings.servers = endpoints.iter().map(Endpoint::name).collect();
        Ok(Self {
            settings,
            endpoints,
            provider: None,
        })
    }

    /// The same with credentials that are asked for before each dial.
    pub(crate) fn with_provider(mut self, provider: Option<Provider>) -> Self {
        self.provider = provider;
        self
    }

    /// Whether a client made by this plan is as one made by `other`.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let asks_the_same = match (&self.provider, &other.provider) {
            (Some(ours), Some(theirs)) => ours.is(theirs),
            (ours, theirs) => ours.is_none() && theirs.is_none(),
        };
        asks_the_same && self.settings == other.settings && self.endpoints == other.endpoints
    }

    pub(crate) fn addrs(&self) -> Vec<ServerAddr> {
        self.endpoints.iter().map(|e| e.addr.clone()).collect()
    }

    /// The same for the connection of large payloads, under a name that tells it apart.
    pub(crate) fn bulk(&self) -> Self {
        self.named("bulk")
    }

    /// The same for a connection of another use, under a name that tells it apart.
    pub(crate) fn named(&self, usage: &str) -> Self {
        let mut plan = self.clone();
        plan.settings.client_name.push_str(&format!(" ({usage})"));
        plan
    }

    /// What a server is shown: the credentials of the provider, or else the server's own, those of
    /// the profile, or (for servers that the cluster told us of) the first that any server has.
    pub(super) async fn proof(
        &self,
        target: &ServerAddr,
    ) -> Result<Option<Proof>, ConnectionError> {
        let Some(provider) = &self.provider else {
            return Ok(self.written(target));
        };
        let given = provider.ask().await.map_err(|error| {
            let context = format!("the provider gave none: {error}");
            ConnectionError::with_source(ConnectionErrorKind::Credentials, context, error)
        })?;
        Ok(Some(Proof::from(given)))
    }

    /// Credentials that are in the settings.
    fn written(&self, target: &ServerAddr) -> Option<Proof> {
        let own = self.endpoints.iter().find(|e| &e.addr == target);
        own.and_then(|endpoint| endpoint.credentials.clone())
            .or_else(|| Proof::configured(&self.settings.auth))
            .or_else(|| self.endpoints.iter().find_map(|e| e.credentials.clone()))
    }
}

impl Endpoint {
    fn parse(url: &str) -> Option<Self> {
        let mut url = url.trim().parse::<ServerAddr>().ok()?.into_inner();
        url.host_str()?;
        let name = decode(url.username());
        let credentials = match (name.is_empty(), url.password()) {
            (false, Some(password)) => Some(Proof::User {
                name,
                password: Secret::new(decode(password)),
            }),
            (false, None) => Some(Proof::Token(Secret::new(name))),
            (true, _) => None,
        };
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
        let addr = ServerAddr::from_url(url).ok()?;
        Some(Self { addr, credentials })
    }

    /// Name for messages; holds no credentials.
    pub(crate) fn name(&self) -> String {
        self.addr.as_url_str().to_owned()
    }
}

fn check(settings: &NatsSettings) -> Result<(), ConnectionError> {
    Proof::check(&settings.auth).map_err(invalid)?;
    let tls = &settings.tls;
    if tls.cert_file.is_some() != tls.key_file.is_some() {
        return Err(invalid("tls needs both cert_file and key_file"));
    }
    Ok(())
}

fn invalid(context: impl Into<String>) -> ConnectionError {
    ConnectionError::new(ConnectionErrorKind::InvalidSettings, context)
}

/// Undoes the percent-encoding of a URL's user information.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = (first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|hex| str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(servers: &[&str]) -> Result<Plan, ConnectionError> {
        Plan::new(NatsSettings {
            servers: servers.iter().map(|s| (*s).to_owned()).collect(),
            ..NatsSettings::default()
        })
    }

    #[test]
    fn credentials_leave_the_url_and_are_decoded() {
        let plan = plan(&["nats://al%40ice:s%3Acret@db:4333"]).unwrap();
        let endpoint = &plan.endpoints[0];
        assert_eq!(endpoint.name(), "nats://db:4333");
        let user = Proof::User {
            name: "al@ice".to_owned(),
            password: Secret::new("s:cret"),
        };
        assert_eq!(plan.written(&endpoint.addr), Some(user));
    }

    #[test]
    fn a_lone_user_in_the_url_is_a_token() {
        let plan = plan(&["nats://t0ken@db"]).unwrap();
        let token = Proof::Token(Secret::new("t0ken"));
        assert_eq!(plan.written(&plan.endpoints[0].addr), Some(token));
    }

    #[test]
    fn each_server_keeps_its_own_credentials() {
        let plan = plan(&["nats://a:1@x", "nats://b:2@y"]).unwrap();
        let name = |addr| match plan.written(addr) {
            Some(Proof::User { name, .. }) => name,
            other => panic!("{other:?}"),
        };
        let names: Vec<_> = plan.endpoints.iter().map(|e| name(&e.addr)).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(name(&"nats://10.0.0.9:4222".parse().unwrap()), "a");
    }

    #[test]
    fn no_password_shows_in_debug_or_in_errors() {
        let shown = format!(
            "{:?}",
            plan(&["nats://u:hunter2@h", "tok-hunter2@h"]).unwrap()
        );
        assert!(!shown.contains("hunter2"), "{shown}");
        let error = plan(&["http://u:hunter2@h"]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        assert_eq!(*error.kind(), ConnectionErrorKind::InvalidSettings);
    }

    #[test]
    fn stray_percent_signs_are_kept() {
        assert_eq!(decode("100%"), "100%");
        assert_eq!(decode("%zz%2"), "%zz%2");
    }
}
