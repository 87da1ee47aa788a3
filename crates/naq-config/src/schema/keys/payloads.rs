//! Keys of section `payloads`.

use super::key;
use crate::schema::input::put;
use crate::schema::{Form, KeySpec};

pub(super) static PAYLOADS: &[KeySpec] = &[
    key(
        "payloads.inline_max",
        Form::Size,
        "Size above which a payload or a result is kept in the object store and not in the message.",
        |s, _, i| put(&mut s.payloads.inline_max, i),
    ),
    key(
        "payloads.max_size",
        Form::Size,
        "Largest payload or result that the object store takes; 0: none goes there.",
        |s, _, i| put(&mut s.payloads.max_size, i),
    ),
    key(
        "payloads.compression",
        Form::Compression,
        "Whether payloads and results are compressed: none or zlib. Turn it on when all that read them know it.",
        |s, _, i| put(&mut s.payloads.compression, i),
    ),
    key(
        "payloads.compress_min",
        Form::Size,
        "Size below which a payload or a result is not compressed.",
        |s, _, i| put(&mut s.payloads.compress_min, i),
    ),
];
