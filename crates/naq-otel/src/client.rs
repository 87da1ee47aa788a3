//! The HTTP client of the exporter: blocking, since the exporter has a thread of its own.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// Longest answer of a collector that is read, in bytes: it says at most what it has refused.
const MAX_ANSWER: u64 = 64 * 1024;

#[derive(Debug)]
pub(crate) struct Client(Agent);

impl Client {
    /// A client that gives up a request after `timeout`. It trusts what the machine trusts (`SSL_CERT_FILE` names
    /// another file), or the well-known authorities if that is nothing.
    pub(crate) fn new(timeout: Duration) -> Self {
        let certificates = rustls_native_certs::load_native_certs().certs;
        let certificates: Vec<_> = certificates
            .iter()
            .map(|der| Certificate::from_der(der).to_owned())
            .collect();
        let roots = match certificates.is_empty() {
            true => RootCerts::WebPki,
            false => RootCerts::new_with_certs(&certificates),
        };
        let config = Agent::config_builder()
            .timeout_global(Some(timeout))
            // The exporter knows better which of them can be tried again.
            .http_status_as_error(false)
            .tls_config(TlsConfig::builder().root_certs(roots).build());
        Self(Agent::new_with_config(config.build()))
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = request.map(|body| body.to_vec());
        let (parts, mut body) = self.0.run(request)?.into_parts();
        let body = body.with_config().limit(MAX_ANSWER).read_to_vec()?;
        Ok(Response::from_parts(parts, body.into()))
    }
}
