//! Servers with TLS: whom we trust, and who is let in.

use std::path::{Path, PathBuf};

use naq_config::settings::{NatsSettings, Tls};
use naq_connection::{Connection, ConnectionErrorKind, ConnectionService, Phase, State};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::timeout;

use crate::server::TestServer;
use crate::{SOON, settings};

/// A certificate authority, and what it has signed, in files.
pub(crate) struct Authority {
    dir: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), issuer.pem()).unwrap();
        let authority = Self { dir, issuer };
        authority.sign("server", ExtendedKeyUsagePurpose::ServerAuth);
        authority.sign("client", ExtendedKeyUsagePurpose::ClientAuth);
        authority
    }

    fn sign(&self, name: &str, usage: ExtendedKeyUsagePurpose) {
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.file(&format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(self.file(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The block `tls` of a server's configuration.
    pub(crate) fn server_block(&self, more: &str) -> String {
        let show = |name: &str| self.file(name).display().to_string();
        format!(
            "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", {more} }}",
            show("server.pem"),
            show("server.key"),
            show("ca.pem")
        )
    }

    fn trusted(&self) -> Tls {
        Tls {
            ca_file: Some(self.file("ca.pem")),
            ..Tls::default()
        }
    }

    fn mutual(&self) -> Tls {
        Tls {
            cert_file: Some(self.file("client.pem")),
            key_file: Some(self.file("client.key")),
            ..self.trusted()
        }
    }
}

async fn try_with(url: String, tls: Tls) -> Result<bool, ConnectionErrorKind> {
    let connection = open(url, tls).await?;
    Ok(connection.server_info().tls_required)
}

async fn open(url: String, tls: Tls) -> Result<Connection, ConnectionErrorKind> {
    let service = ConnectionService::new(NatsSettings {
        tls,
        ..settings(&url)
    });
    let connection = service.connection().await.map_err(|e| e.kind().clone())?;
    connection.flush_confirmed().await.unwrap();
    Ok(connection)
}

#[tokio::test]
async fn a_private_authority_is_trusted_whether_the_url_or_the_setting_asks_for_tls() {
    let authority = Authority::new();
    let server = TestServer::start_with(&authority.server_block("")).await;
    let enabled = Tls {
        enabled: true,
        ..authority.trusted()
    };
    let by_url = server.url().replace("nats://", "tls://");
    for (url, tls) in [
        (server.url(), enabled),
        (by_url, authority.trusted()),
        // The server asks for it.
        (server.url(), authority.trusted()),
    ] {
        let connection = open(url, tls).await.unwrap();
        assert!(connection.server_info().tls_required);
        // Asked while it is open: of one that closes the server does not say this any more.
        let clients = server.connections().await;
        let is_seen = |c: &Value| c["cid"] == connection.server_info().client_id;
        let own = clients.iter().find(|c| is_seen(c));
        assert!(
            own.is_some_and(|c| c["tls_version"].is_string()),
            "{clients:?}"
        );
    }
}

#[tokio::test]
async fn a_server_of_another_authority_is_a_tls_error_that_time_does_not_heal() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = TestServer::start_with(&authority.server_block("")).await;
    for tls in [other.trusted(), Tls::default()] {
        let refused = try_with(server.url(), tls).await;
        assert_eq!(refused, Err(ConnectionErrorKind::Tls));
    }
    // Nobody has sent anything.
    assert_eq!(server.total_connects().await, 0);
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_takes_only_clients_that_have_one() {
    let authority = Authority::new();
    let server = TestServer::start_with(&authority.server_block("verify: true")).await;
    assert_eq!(try_with(server.url(), authority.mutual()).await, Ok(true));
    let refused = try_with(server.url(), authority.trusted()).await;
    assert_eq!(refused, Err(ConnectionErrorKind::Tls));
    let other = Authority::new();
    let strange = Tls {
        ca_file: Some(authority.file("ca.pem")),
        ..other.mutual()
    };
    let refused = try_with(server.url(), strange).await;
    assert_eq!(refused, Err(ConnectionErrorKind::Tls));
}

#[tokio::test]
async fn a_server_without_tls_is_not_talked_to_in_clear_if_tls_is_required() {
    let server = TestServer::start().await;
    let tls = Tls {
        enabled: true,
        ..Authority::new().trusted()
    };
    let refused = try_with(server.url(), tls).await;
    assert_eq!(refused, Err(ConnectionErrorKind::Tls));
    assert_eq!(server.total_connects().await, 0);
}

#[tokio::test]
async fn a_file_that_is_not_there_or_no_certificate_is_a_tls_error() {
    let authority = Authority::new();
    let server = TestServer::start_with(&authority.server_block("")).await;
    let missing = authority.file("missing.pem");
    std::fs::write(authority.file("empty.pem"), "no certificate").unwrap();
    let with_key = |key: &Path| Tls {
        key_file: Some(key.to_owned()),
        ..authority.mutual()
    };
    let with_ca = |ca: &Path| Tls {
        ca_file: Some(ca.to_owned()),
        ..Tls::default()
    };
    for tls in [
        with_key(&missing),
        with_ca(&missing),
        with_ca(&authority.file("empty.pem")),
    ] {
        let refused = try_with(server.url(), tls).await;
        assert_eq!(refused, Err(ConnectionErrorKind::Tls));
    }
}

#[tokio::test]
async fn a_new_certificate_is_used_from_the_next_reconnect_on() {
    let authority = Authority::new();
    let server = TestServer::start_with(&authority.server_block("verify: true")).await;
    let service = ConnectionService::new(NatsSettings {
        tls: authority.mutual(),
        ..settings(&server.url())
    });
    let connection = service.connection().await.unwrap();
    // A certificate of nobody: the client must have read it at the reconnect.
    let other = Authority::new();
    for name in ["client.pem", "client.key"] {
        std::fs::copy(other.file(name), authority.file(name)).unwrap();
    }
    let mut states = connection.states();
    server.restart().await;
    let attempts = |state: &State| match state.phase {
        Phase::Reconnecting { attempts } => attempts,
        _ => 0,
    };
    // The server is there again: an attempt can fail for the certificate only.
    let before = attempts(&states.borrow());
    let refused = states.wait_for(|state| attempts(state) > before + 3 || state.epoch > 1);
    let state = *timeout(SOON, refused).await.unwrap().unwrap();
    assert_eq!(state.epoch, 1);
    authority.sign("client", ExtendedKeyUsagePurpose::ClientAuth);
    timeout(SOON, states.wait_for(|s| s.epoch == 2))
        .await
        .unwrap()
        .unwrap();
    connection.flush_confirmed().await.unwrap();
}
