//! Other ways to the same server: WebSocket, with and without TLS, and IPv6.

use naq_config::settings::{NatsSettings, Tls};
use naq_connection::ConnectionService;

use crate::server::TestServer;
use crate::settings;
use crate::tls::Authority;

async fn websocket_port(server: &TestServer) -> u64 {
    server.varz().await["websocket"]["port"].as_u64().unwrap()
}

/// Publishes and hears it again.
async fn echo(settings: NatsSettings) -> ConnectionService {
    let service = ConnectionService::new(settings);
    let connection = service.connection().await.unwrap();
    let mut heard = connection.subscribe("echo").await.unwrap();
    connection.publish("echo", "hello").await.unwrap();
    assert_eq!(heard.next().await.unwrap().payload, "hello");
    connection.flush_confirmed().await.unwrap();
    service
}

#[tokio::test]
async fn a_websocket_is_as_good_as_a_socket() {
    let server =
        TestServer::start_with("websocket { listen: \"127.0.0.1:-1\", no_tls: true }").await;
    let url = format!("ws://127.0.0.1:{}", websocket_port(&server).await);
    let _service = echo(settings(&url)).await;
    assert_eq!(server.connections().await[0]["type"], "websocket");
}

#[tokio::test]
async fn a_websocket_with_tls_trusts_the_private_authority() {
    let authority = Authority::new();
    let block = authority.server_block("");
    let server = TestServer::start_with(&format!(
        "websocket {{ listen: \"127.0.0.1:-1\", {block} }}"
    ))
    .await;
    let port = websocket_port(&server).await;
    let tls = Tls {
        ca_file: Some(authority.file("ca.pem")),
        ..Tls::default()
    };
    let _service = echo(NatsSettings {
        tls,
        ..settings(&format!("wss://127.0.0.1:{port}"))
    })
    .await;
    assert_eq!(server.connections().await[0]["type"], "websocket");
}

#[tokio::test]
async fn an_ipv6_address_in_brackets_is_dialled() {
    // The last `host` of the file counts.
    let server = TestServer::start_with("host: \"::\"").await;
    let _service = echo(settings(&format!("nats://[::1]:{}", server.port()))).await;
    assert_eq!(server.connections().await[0]["ip"], "::1");
}
