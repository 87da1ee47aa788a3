//! The hash of names, jitter and fingerprints.

/// FNV-1a (64 bits): small, and the same in each version and language.
pub(crate) fn fnv(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A token for a text that may have any characters: its hash as 16 hexadecimal digits.
pub(crate) fn token(text: &str) -> String {
    format!("{:016x}", fnv(text.bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_the_known_hash() {
        assert_eq!(token(""), "cbf29ce484222325");
        assert_eq!(token("foobar"), "85944171f73967e8");
    }
}
