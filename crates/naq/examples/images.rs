//! An image pipeline whose pictures are larger than a message: one job changes a picture, the next makes a thumbnail of it.
//!
//! `cargo run --example images [pictures]` starts a server of its own; 4 pictures by default. Payloads and results that do not fit
//! into a message go through the server's object store, and nothing has to be said for that.
#![expect(clippy::print_stdout, reason = "the lines are the output")]

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use naq::embedded::EmbeddedServer;
use naq::{JobContext, JobError, Jobs, Kind, RetryPolicy, Settings};
use serde::{Deserialize, Serialize};

const INVERT: Kind<Picture, Picture> = Kind::new("invert").queue("images");
const THUMBNAIL: Kind<Picture, Picture> = Kind::new("thumbnail").queue("images");

const WIDTH: usize = 800;
const HEIGHT: usize = 600;
/// A thumbnail has one pixel for so many in each direction.
const SMALLER: usize = 8;
const LIMIT: Duration = Duration::from_secs(60);

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Three bytes for each pixel, as base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Picture {
    width: usize,
    height: usize,
    pixels: String,
}

impl Picture {
    fn new(width: usize, height: usize, pixels: &[u8]) -> Self {
        let pixels = STANDARD.encode(pixels);
        Self {
            width,
            height,
            pixels,
        }
    }

    /// A picture that no other seed makes.
    fn drawn(seed: usize) -> Self {
        let pixel = |n: usize| {
            let (x, y) = (n % WIDTH, n / WIDTH);
            [x + seed, y * seed, x ^ y].map(|colour| colour.to_le_bytes()[0])
        };
        let pixels: Vec<u8> = (0..WIDTH * HEIGHT).flat_map(pixel).collect();
        Self::new(WIDTH, HEIGHT, &pixels)
    }

    fn bytes(&self) -> Result<Vec<u8>, JobError> {
        let bytes = STANDARD.decode(&self.pixels).map_err(JobError::fatal)?;
        if self.width.checked_mul(self.height.saturating_mul(3)) == Some(bytes.len()) {
            return Ok(bytes);
        }
        let text = format!(
            "{} bytes are no {} x {}",
            bytes.len(),
            self.width,
            self.height
        );
        Err(JobError::fatal(JobError::message(text)))
    }

    fn inverted(&self) -> Result<Self, JobError> {
        let pixels: Vec<u8> = self.bytes()?.iter().map(|byte| !byte).collect();
        Ok(Self::new(self.width, self.height, &pixels))
    }

    /// Each pixel is the mean of a square.
    fn thumbnail(&self) -> Result<Self, JobError> {
        let pixels = self.bytes()?;
        let (width, height) = (self.width / SMALLER, self.height / SMALLER);
        let mut small = Vec::with_capacity(width * height * 3);
        for y in 0..height {
            for x in 0..width {
                for colour in 0..3 {
                    small.push(self.mean(&pixels, x, y, colour)?);
                }
            }
        }
        Ok(Self::new(width, height, &small))
    }

    fn mean(&self, pixels: &[u8], x: usize, y: usize, colour: usize) -> Result<u8, JobError> {
        let square =
            (0..SMALLER * SMALLER).map(|n| (x * SMALLER + n % SMALLER, y * SMALLER + n / SMALLER));
        let sum: usize = square
            .map(|(x, y)| usize::from(pixels[(y * self.width + x) * 3 + colour]))
            .sum();
        Ok(u8::try_from(sum / (SMALLER * SMALLER))?)
    }
}

/// What became of one picture.
#[derive(Debug)]
pub(crate) struct Done {
    /// Bytes of the payload of the first job.
    pub(crate) sent: usize,
    /// Bytes of the result of the first job in the object store; 0: it was in the outcome.
    pub(crate) stored: u64,
    /// Bytes of the thumbnail.
    pub(crate) thumbnail: usize,
    /// Whether the thumbnail is the one that is computed here.
    pub(crate) is_right: bool,
}

/// Sends so many pictures through the pipeline. One more is broken, and its error is returned.
pub(crate) async fn run(pictures: usize) -> Result<(Vec<Done>, String), Failure> {
    let server = EmbeddedServer::builder().start().await?;
    let mut settings = Settings::default();
    settings.nats.servers = vec![server.url()];
    let jobs = Jobs::connect(settings).await?;
    // They compute and never wait, so they run on threads and keep nobody's lease from being renewed.
    let worker = jobs
        .worker()
        .concurrency(2)
        .handle_blocking(INVERT, |_: JobContext, picture| picture.inverted())
        .handle_blocking(THUMBNAIL, |_: JobContext, picture| picture.thumbnail())
        .start()
        .await?;
    let pipelines = (1..=pictures).map(|seed| pipeline(&jobs, Picture::drawn(seed)));
    let done = futures::future::try_join_all(pipelines).await?;

    let broken = Picture::new(WIDTH, HEIGHT, b"too short");
    let retry = RetryPolicy::fixed(3, Duration::from_secs(1));
    let broken = jobs.enqueue(INVERT.job(&broken)?.retry(retry)).await?;
    let error = broken.outcome(LIMIT).await?.error;
    worker.stop(Duration::from_secs(10)).await;
    jobs.shutdown().await;
    server.stop().await?;
    Ok((
        done,
        error.map_or_else(String::new, |error| error.to_string()),
    ))
}

async fn pipeline(jobs: &Jobs, picture: Picture) -> Result<Done, Failure> {
    let inverted = jobs.enqueue(INVERT.job(&picture)?).await?;
    let outcome = inverted.outcome(LIMIT).await?;
    let stored = outcome.result_ref.as_ref().map_or(0, |object| object.size);
    let inverted: Picture = outcome.into_result()?;
    let thumbnail = jobs.enqueue(THUMBNAIL.job(&inverted)?).await?;
    let thumbnail = thumbnail.result(LIMIT).await?;
    let expected = picture.inverted().and_then(|inverted| inverted.thumbnail());
    Ok(Done {
        sent: picture.pixels.len(),
        stored,
        thumbnail: thumbnail.pixels.len(),
        is_right: expected.is_ok_and(|expected| expected == thumbnail),
    })
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let pictures = std::env::args().nth(1).map_or(Ok(4), |text| text.parse())?;
    let (done, error) = run(pictures).await?;
    for Done {
        sent,
        stored,
        thumbnail,
        is_right,
    } in done
    {
        println!(
            "{sent} bytes sent, {stored} in the store, thumbnail of {thumbnail}, right: {is_right}"
        );
    }
    println!("a broken picture: {error}");
    Ok(())
}
