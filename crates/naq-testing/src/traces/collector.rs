//! The collector: one thread, one request per connection.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

use super::CollectedSpan;
use super::span::spans_of;

/// Time for one request, and for what a test waits for.
const LIMIT: Duration = Duration::from_secs(10);
const DEADLINE: Duration = Duration::from_secs(60);

/// Listens on a free port of this machine for OTLP over HTTP with protobuf. Ends when it is dropped.
///
/// ```
/// use naq_testing::TraceCollector;
///
/// let collector = TraceCollector::start();
/// assert!(collector.endpoint().starts_with("http://127.0.0.1:"));
/// assert!(collector.spans().is_empty());
/// ```
#[derive(Debug)]
pub struct TraceCollector {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    spans: Mutex<Vec<CollectedSpan>>,
    is_over: AtomicBool,
}

impl TraceCollector {
    /// Starts to listen.
    ///
    /// # Panics
    /// If there is no free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("the port that was taken");
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.is_over.load(Ordering::Relaxed) {
                    return;
                }
                // Who sends nonsense gets no answer.
                drop(stream.and_then(|stream| serving.answer(stream)));
            }
        });
        Self {
            address,
            shared,
            thread: Some(thread),
        }
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` is to be.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All spans so far.
    pub fn spans(&self) -> Vec<CollectedSpan> {
        let spans = self.shared.spans.lock();
        spans.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the spans are as `is_so` says, and gives them. Blocks the thread.
    ///
    /// # Panics
    /// After a minute, with the spans that there are.
    #[track_caller]
    pub fn wait(&self, is_so: impl Fn(&[CollectedSpan]) -> bool) -> Vec<CollectedSpan> {
        let end = Instant::now() + DEADLINE;
        loop {
            let spans = self.spans();
            if is_so(&spans) {
                return spans;
            }
            assert!(
                Instant::now() < end,
                "after {DEADLINE:?} there are {spans:#?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for TraceCollector {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // It waits for somebody to connect.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Shared {
    fn answer(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(LIMIT))?;
        let body = read_request(&mut stream)?;
        let request = ExportTraceServiceRequest::decode(body.as_slice());
        let status = match request {
            Ok(request) => {
                let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
                spans.extend(spans_of(request));
                "200 OK"
            }
            Err(_) => "400 Bad Request",
        };
        let head = "content-type: application/x-protobuf\r\ncontent-length: 0\r\nconnection: close";
        write!(stream, "HTTP/1.1 {status}\r\n{head}\r\n\r\n")
    }
}

/// The body of a `POST /v1/traces`.
fn read_request(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let (Some(length), true) = (length, head.starts_with("post /v1/traces ")) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(body)
}
