//! The reference to what is kept in the object store.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use ring::digest::{SHA256, digest as hash};
use serde::{Deserialize, Serialize};

/// Where a large payload or result is, and what it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRef {
    /// Its name in the bucket.
    pub object: String,
    /// Its size in bytes.
    pub size: u64,
    /// `SHA-256=` and the hash in base64url, as the object store writes it.
    pub digest: String,
    /// How the bytes stand for the JSON text, if they are not that text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
}

/// How bytes stand for a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Encoding {
    /// A zlib stream (RFC 1950).
    Zlib,
}

impl ObjectRef {
    /// The reference to `bytes` under the name `object`.
    pub(crate) fn to(object: String, bytes: &[u8], encoding: Option<Encoding>) -> Self {
        Self {
            object,
            size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            digest: digest(bytes),
            encoding,
        }
    }

    /// A reference that is only for removing the object `object`.
    pub(crate) fn named(object: String) -> Self {
        Self {
            object,
            size: 0,
            digest: String::new(),
            encoding: None,
        }
    }

    /// Whether these are the bytes.
    pub(crate) fn fits(&self, bytes: &[u8]) -> bool {
        u64::try_from(bytes.len()) == Ok(self.size) && digest(bytes) == self.digest
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("SHA-256={}", URL_SAFE.encode(hash(&SHA256, bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_byte_does_not_fit() {
        let reference = ObjectRef::to("a".to_owned(), b"abc", None);
        let expected = "SHA-256=ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0=";
        assert_eq!(reference.digest, expected);
        assert!(reference.fits(b"abc"));
        assert!(!reference.fits(b"abd") && !reference.fits(b"ab"));
    }
}
