//! Compression of JSON texts, and its end at a limit: a few bytes can stand for gigabytes.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::write::ZlibEncoder;
use flate2::{Compression as Level, Decompress, FlushDecompress, Status};
use serde_json::value::RawValue;

/// Bytes between two pauses, so that other tasks of the thread get their turn: some milliseconds of work.
const STEP: usize = 256 * 1024;

/// Why a packed text cannot be read. A retry does not help.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unpackable {
    #[error("its base64 is broken: {0}")]
    Base64(#[from] base64::DecodeError),
    #[error("its zlib stream is broken: {0}")]
    Stream(#[from] flate2::DecompressError),
    #[error("its zlib stream ends too early")]
    Cut,
    #[error("it unpacks to more than {0} bytes (`payloads.max_size` of this program)")]
    TooLarge(u64),
    #[error("it unpacks to what is no JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// The text as a zlib stream; `None` if that, written as base64, is not shorter.
pub(super) async fn pack(text: &RawValue) -> Option<Vec<u8>> {
    let text = text.get().as_bytes();
    let mut encoder = ZlibEncoder::new(Vec::new(), Level::fast());
    for step in text.chunks(STEP) {
        encoder.write_all(step).ok()?;
        tokio::task::yield_now().await;
    }
    let packed = encoder.finish().ok()?;
    (base64_len(packed.len()) < text.len()).then_some(packed)
}

/// The text of a zlib stream, of at most `limit` bytes. Memory is taken for what comes out, never for more than that.
pub(super) async fn unpack(packed: &[u8], limit: u64) -> Result<Box<RawValue>, Unpackable> {
    let mut inflate = Decompress::new(true);
    let (mut text, mut step) = (Vec::new(), vec![0; STEP]);
    let mut rest = packed;
    loop {
        let before = (inflate.total_in(), inflate.total_out());
        let status = inflate.decompress(rest, &mut step, FlushDecompress::None)?;
        let read = usize::try_from(inflate.total_in() - before.0).unwrap_or(usize::MAX);
        let made = usize::try_from(inflate.total_out() - before.1).unwrap_or(usize::MAX);
        if inflate.total_out() > limit {
            return Err(Unpackable::TooLarge(limit));
        }
        text.extend_from_slice(step.get(..made).unwrap_or_default());
        rest = rest.get(read..).unwrap_or_default();
        match status {
            Status::StreamEnd => break,
            Status::Ok | Status::BufError if read == 0 && made == 0 => return Err(Unpackable::Cut),
            Status::Ok | Status::BufError => tokio::task::yield_now().await,
        }
    }
    Ok(serde_json::from_slice(&text)?)
}

/// As [`unpack`], of what is in an envelope or an outcome.
pub(super) async fn unpack_base64(text: &str, limit: u64) -> Result<Box<RawValue>, Unpackable> {
    unpack(&BASE64.decode(text)?, limit).await
}

/// How it goes into an envelope or an outcome.
pub(super) fn to_base64(packed: &[u8]) -> String {
    BASE64.encode(packed)
}

/// Bytes of so many as base64.
pub(super) fn base64_len(size: usize) -> usize {
    size.div_ceil(3) * 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn raw(value: &serde_json::Value) -> Box<RawValue> {
        serde_json::value::to_raw_value(value).unwrap()
    }

    #[tokio::test]
    async fn what_does_not_get_shorter_is_left_alone() {
        assert!(pack(&raw(&serde_json::json!("kU3z9"))).await.is_none());
        let long = raw(&serde_json::json!("naq ".repeat(500)));
        let packed = pack(&long).await.unwrap();
        assert!(base64_len(packed.len()) < 200);
        assert_eq!(to_base64(&packed).len(), base64_len(packed.len()));
        let back = unpack_base64(&to_base64(&packed), 10_000).await.unwrap();
        assert_eq!(back.get(), long.get());
    }

    #[tokio::test]
    async fn a_bomb_ends_at_the_limit() {
        let mut bomb = ZlibEncoder::new(Vec::new(), Level::best());
        for _ in 0..64 {
            bomb.write_all(&[b' '; 1024 * 1024]).unwrap();
        }
        let bomb = bomb.finish().unwrap();
        assert!(bomb.len() < 100_000);
        let error = unpack(&bomb, 1024 * 1024).await.unwrap_err();
        assert!(matches!(error, Unpackable::TooLarge(1_048_576)), "{error}");
    }

    #[tokio::test]
    async fn the_vectors_of_the_specification_hold() {
        let text = include_str!("../../../../docs/reference/wire-vectors.json");
        let vectors: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
        let mut tested = 0;
        for vector in &vectors {
            let (body, expect) = (vector["body"].as_str().unwrap(), &vector["expect"]);
            let Some(packed) = crate::wire::decode(body.as_bytes())
                .ok()
                .and_then(|envelope| envelope.payload_zlib)
            else {
                continue;
            };
            tested += 1;
            match unpack_base64(&packed, 10_000).await {
                Ok(payload) => {
                    let payload: serde_json::Value = serde_json::from_str(payload.get()).unwrap();
                    assert_eq!(payload, expect["unpacked"], "{}", vector["name"]);
                }
                Err(error) => {
                    let wanted = expect["unpack_error"].as_str().unwrap();
                    assert!(error.to_string().contains(wanted), "{error}");
                }
            }
        }
        assert_eq!(tested, 3);
    }

    proptest! {
        #[test]
        fn no_bytes_panic_the_decoder(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            drop(runtime.block_on(unpack(&bytes, 1000)));
            drop(runtime.block_on(unpack_base64(&String::from_utf8_lossy(&bytes), 1000)));
        }
    }
}
