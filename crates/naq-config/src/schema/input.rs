//! What a layer holds for a key, and how each type reads it.
//!
//! The type of the key decides, not the look of the text: `123` stays a text for a text key,
//! and `"7"` is a number for a number key.

use std::path::PathBuf;
use std::time::Duration;

use super::units::{duration, size};
use crate::settings::{Compression, Rate, Storage};
use crate::{Place, Secret};

/// The value of one key in one layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Input {
    Null,
    Text(String),
    List(Vec<Item>),
    Map,
}

/// One element of a list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item {
    pub(crate) text: String,
    pub(crate) place: Option<Place>,
}

/// Why a value is not accepted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rejected {
    /// What the key takes, after "must be".
    expected: String,
    found: Input,
}

/// A type that settings have.
pub(super) trait Read: Sized {
    /// Reads a value that is there; the error is what the type takes.
    fn read(input: &Input) -> Result<Self, String>;
}

/// Reads `input` into `slot`.
pub(super) fn put<T: Read>(slot: &mut T, input: &Input) -> Result<(), Rejected> {
    *slot = T::read(input).map_err(|expected| Rejected {
        expected,
        found: input.clone(),
    })?;
    Ok(())
}

/// Reads a limit, of which `-1` and `unlimited` mean none.
pub(super) fn put_limit(slot: &mut Option<u32>, input: &Input) -> Result<(), Rejected> {
    let unlimited =
        |text: &str| matches!(text, "-1" | "-1.0") || text.eq_ignore_ascii_case("unlimited");
    *slot = match input {
        Input::Text(text) if unlimited(text.trim()) => None,
        Input::Null => None,
        other => Some(u32::read(other).map_err(|_| Rejected {
            expected: "a whole number from 0, or -1 or `unlimited` for no limit".to_owned(),
            found: input.clone(),
        })?),
    };
    Ok(())
}

/// Takes the empty map of a named entry, which the caller has just created.
pub(super) fn touch<T>(_entry: &mut T, input: &Input) -> Result<(), Rejected> {
    match input {
        Input::Null | Input::Map => Ok(()),
        found => Err(Rejected {
            expected: "a map".to_owned(),
            found: found.clone(),
        }),
    }
}

impl Input {
    /// Takes commas in texts as separators of elements.
    pub(crate) fn split_commas(self) -> Self {
        let items = match self {
            Self::Text(text) => vec![Item { text, place: None }],
            Self::List(items) => items,
            other => return other,
        };
        let split = items.iter().flat_map(|item| {
            let parts = item
                .text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty());
            parts.map(|part| Item {
                text: part.to_owned(),
                place: item.place,
            })
        });
        Self::List(split.collect())
    }

    pub(crate) fn places(&self) -> Vec<Option<Place>> {
        match self {
            Self::List(items) => items.iter().map(|item| item.place).collect(),
            _ => Vec::new(),
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl Rejected {
    /// The message; a secret value is not quoted.
    pub(crate) fn message(&self, secret: bool) -> String {
        let Self { expected, found } = self;
        match found {
            Input::Null => format!("must be {expected}, but has no value"),
            Input::List(_) => format!("must be {expected}, not a list"),
            Input::Map => format!("must be {expected}, not a map"),
            Input::Text(_) if secret => format!("must be {expected}"),
            Input::Text(text) => {
                let short: String = text.chars().take(60).collect();
                format!("must be {expected}, not `{}`", short.escape_debug())
            }
        }
    }
}

fn read_with<T>(
    input: &Input,
    expected: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, String> {
    input
        .text()
        .and_then(|text| parse(text.trim()))
        .ok_or_else(|| expected.to_owned())
}

impl Read for String {
    fn read(input: &Input) -> Result<Self, String> {
        input
            .text()
            .map(str::to_owned)
            .ok_or_else(|| "a text".to_owned())
    }
}

impl Read for Secret {
    fn read(input: &Input) -> Result<Self, String> {
        String::read(input).map(Self::new)
    }
}

impl Read for PathBuf {
    fn read(input: &Input) -> Result<Self, String> {
        input
            .text()
            .map(Self::from)
            .ok_or_else(|| "a path".to_owned())
    }
}

impl Read for bool {
    fn read(input: &Input) -> Result<Self, String> {
        read_with(input, "true or false", |text| {
            match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Some(true),
                "false" | "no" | "off" | "0" => Some(false),
                _ => None,
            }
        })
    }
}

impl Read for u8 {
    fn read(input: &Input) -> Result<Self, String> {
        read_with(input, "a whole number from 0 to 255", |text| {
            text.parse().ok()
        })
    }
}

impl Read for u32 {
    fn read(input: &Input) -> Result<Self, String> {
        read_with(input, "a whole number from 0 to 4294967295", |text| {
            text.parse().ok()
        })
    }
}

/// Every `u64` of the settings is a size.
impl Read for u64 {
    fn read(input: &Input) -> Result<Self, String> {
        read_with(input, "a size such as 1048576, 64KiB or 1GB", size)
    }
}

impl Read for Duration {
    fn read(input: &Input) -> Result<Self, String> {
        read_with(
            input,
            "a time such as 2.5 (seconds), 500ms or 1h30m",
            duration,
        )
    }
}

impl Read for Storage {
    fn read(input: &Input) -> Result<Self, String> {
        read_with(input, "`file` or `memory`", |text| {
            match text.to_ascii_lowercase().as_str() {
                "file" => Some(Self::File),
                "memory" => Some(Self::Memory),
                _ => None,
            }
        })
    }
}

impl Read for Compression {
    fn read(input: &Input) -> Result<Self, String> {
        read_with(input, "`none` or `zlib`", |text| {
            match text.to_ascii_lowercase().as_str() {
                "none" => Some(Self::None),
                "zlib" => Some(Self::Zlib),
                _ => None,
            }
        })
    }
}

impl Read for Rate {
    fn read(input: &Input) -> Result<Self, String> {
        let expected = "a rate such as 100/s, 30/1m or 5/s burst 1";
        read_with(input, expected, |text| text.parse().ok())
    }
}

impl Read for Vec<String> {
    fn read(input: &Input) -> Result<Self, String> {
        match input {
            Input::List(items) => Ok(items.iter().map(|item| item.text.clone()).collect()),
            _ => Err("a list".to_owned()),
        }
    }
}

/// Nothing and an empty text both mean that an optional setting is off: the documented examples
/// write `cert_file: ""`.
impl<T: Read> Read for Option<T> {
    fn read(input: &Input) -> Result<Self, String> {
        match input {
            Input::Null => Ok(None),
            Input::Text(text) if text.trim().is_empty() => Ok(None),
            input => T::read(input).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: Read + Default>(text: &str) -> Result<T, String> {
        let mut slot = T::default();
        put(&mut slot, &Input::Text(text.to_owned())).map_err(|e| e.message(false))?;
        Ok(slot)
    }

    #[test]
    fn the_type_of_the_key_decides() {
        assert_eq!(read::<String>("123"), Ok("123".to_owned()));
        assert_eq!(read::<String>("on"), Ok("on".to_owned()));
        assert_eq!(read::<u32>(" 1 "), Ok(1));
        assert_eq!(read::<bool>("1"), Ok(true));
        assert_eq!(read::<Option<PathBuf>>(""), Ok(None));
        assert_eq!(read::<Storage>("Memory"), Ok(Storage::Memory));
    }

    #[test]
    fn a_rejected_value_is_quoted_unless_it_is_secret() {
        let rejected = put(&mut 0_u32, &Input::Text("se\ncret".to_owned())).unwrap_err();
        assert!(rejected.message(false).ends_with("not `se\\ncret`"));
        assert!(!rejected.message(true).contains("cret"));
        assert!(read::<u8>("256").unwrap_err().contains("0 to 255"));
        assert!(read::<u32>("5.0").is_err());
    }

    #[test]
    fn a_limit_may_be_none() {
        for (text, want) in [
            ("-1", None),
            ("unlimited", None),
            ("0", Some(0)),
            ("5", Some(5)),
        ] {
            let mut slot = Some(9);
            put_limit(&mut slot, &Input::Text(text.to_owned())).unwrap();
            assert_eq!(slot, want, "{text}");
        }
        assert!(put_limit(&mut None, &Input::Text("-2".to_owned())).is_err());
    }

    #[test]
    fn commas_separate_elements() {
        let split = Input::Text(" a, b,,c ".to_owned()).split_commas();
        let mut slot = Vec::new();
        put(&mut slot, &split).unwrap();
        assert_eq!(slot, ["a", "b", "c"]);
    }
}
