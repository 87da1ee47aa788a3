//! The few lines of the NATS protocol that these tests need; a client would bring its own reconnects.

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::wait::SOON;

/// Sends one request and returns the answer's JSON.
pub(crate) async fn request(port: u16, subject: &str, payload: &str) -> Value {
    let exchange = async {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let mut stream = BufReader::new(stream);
        let text = format!(
            "CONNECT {{\"verbose\":false,\"pedantic\":false}}\r\nSUB answer 1\r\n\
             PUB {subject} answer {}\r\n{payload}\r\n",
            payload.len()
        );
        stream.get_mut().write_all(text.as_bytes()).await.unwrap();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            assert!(!line.is_empty(), "the server closed the connection");
            if line.starts_with("MSG ") {
                let length: usize = line.trim().rsplit(' ').next().unwrap().parse().unwrap();
                let mut body = vec![0; length];
                stream.read_exact(&mut body).await.unwrap();
                return serde_json::from_slice(&body).unwrap();
            }
        }
    };
    tokio::time::timeout(SOON, exchange)
        .await
        .expect("no answer in time")
}

/// Makes a file stream on the subject of the same name.
pub(crate) async fn make_stream(port: u16, name: &str, replicas: u8) {
    let config = format!(
        "{{\"name\":\"{name}\",\"subjects\":[\"{name}\"],\"storage\":\"file\",\"num_replicas\":{replicas}}}"
    );
    let answer = request(port, &format!("$JS.API.STREAM.CREATE.{name}"), &config).await;
    assert!(answer["error"].is_null(), "{answer}");
}

/// Publishes one message into a stream made by [`make_stream`]; returns its sequence.
pub(crate) async fn publish(port: u16, name: &str) -> u64 {
    let answer = request(port, name, "hello").await;
    answer["seq"]
        .as_u64()
        .unwrap_or_else(|| panic!("not stored: {answer}"))
}

/// How many messages the stream holds.
pub(crate) async fn messages(port: u16, name: &str) -> Option<u64> {
    let answer = request(port, &format!("$JS.API.STREAM.INFO.{name}"), "").await;
    answer["state"]["messages"].as_u64()
}
