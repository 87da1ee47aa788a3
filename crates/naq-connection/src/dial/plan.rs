//! The settings of one profile, checked and made ready for dialling.
//!
//! Credentials are taken out of the URLs here: the client ignores them there, and what does not
//! travel with an address cannot reach a log with it.

use async_nats::{Auth, AuthError, ServerAddr};
use naq_config::Secret;
use naq_config::settings::NatsSettings;

use super::auth::Credentials;
use crate::error::{ConnectionError, ConnectionErrorKind};

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) settings: NatsSettings,
    pub(crate) endpoints: Vec<Endpoint>,
}

/// One configured server.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) addr: ServerAddr,
    credentials: Option<Credentials>,
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
        })
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

    /// Credentials for a server: its own, or those of the profile, or (for servers that the
    /// cluster told us of) the first that any server has.
    pub(crate) async fn auth(&self, target: &ServerAddr, nonce: &[u8]) -> Result<Auth, AuthError> {
        let own = self
            .endpoints
            .iter()
            .find(|endpoint| &endpoint.addr == target);
        let credentials = own
            .and_then(|endpoint| endpoint.credentials.clone())
            .or_else(|| Credentials::configured(&self.settings.auth))
            .or_else(|| self.endpoints.iter().find_map(|e| e.credentials.clone()));
        match credentials {
            Some(credentials) => credentials.present(nonce).await,
            None => Ok(Auth::new()),
        }
    }
}

impl Endpoint {
    fn parse(url: &str) -> Option<Self> {
        let mut url = url.trim().parse::<ServerAddr>().ok()?.into_inner();
        url.host_str()?;
        let name = decode(url.username());
        let credentials = match (name.is_empty(), url.password()) {
            (false, Some(password)) => Some(Credentials::User {
                name,
                password: Secret::new(decode(password)),
            }),
            (false, None) => Some(Credentials::Token(Secret::new(name))),
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
    Credentials::check(&settings.auth).map_err(invalid)?;
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

    async fn auth(plan: &Plan, addr: &ServerAddr) -> Auth {
        plan.auth(addr, b"").await.unwrap()
    }

    #[tokio::test]
    async fn credentials_leave_the_url_and_are_decoded() {
        let plan = plan(&["nats://al%40ice:s%3Acret@db:4333"]).unwrap();
        let endpoint = &plan.endpoints[0];
        assert_eq!(endpoint.name(), "nats://db:4333");
        let auth = auth(&plan, &endpoint.addr).await;
        assert_eq!(auth.username.as_deref(), Some("al@ice"));
        assert_eq!(auth.password.as_deref(), Some("s:cret"));
    }

    #[tokio::test]
    async fn a_lone_user_in_the_url_is_a_token() {
        let plan = plan(&["nats://t0ken@db"]).unwrap();
        let auth = auth(&plan, &plan.endpoints[0].addr).await;
        assert_eq!(
            (auth.username, auth.token.as_deref()),
            (None, Some("t0ken"))
        );
    }

    #[tokio::test]
    async fn each_server_keeps_its_own_credentials() {
        let plan = plan(&["nats://a:1@x", "nats://b:2@y"]).unwrap();
        for (endpoint, name) in plan.endpoints.iter().zip(["a", "b"]) {
            let auth = auth(&plan, &endpoint.addr).await;
            assert_eq!(auth.username.as_deref(), Some(name));
        }
        let discovered = "nats://10.0.0.9:4222".parse().unwrap();
        assert_eq!(
            auth(&plan, &discovered).await.username.as_deref(),
            Some("a")
        );
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
