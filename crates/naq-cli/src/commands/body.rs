//! The body of a job, as it is shown.

use naq::JobsError;
use serde_json::Value;
use serde_json::value::RawValue;

/// The body as JSON, or what can be shown of it. A compressed payload is shown as `payload`, in place of `payload_zlib`; one that
/// cannot be read stays as it is, with `payload_error`.
pub(super) async fn shown(
    body: &[u8],
    payload: impl Future<Output = Result<Option<Box<RawValue>>, JobsError>>,
) -> Value {
    let mut shown: Value = match serde_json::from_slice(body) {
        Ok(shown) => shown,
        Err(_) => return String::from_utf8_lossy(body).into(),
    };
    if let Value::Object(fields) = &mut shown
        && fields.contains_key("payload_zlib")
    {
        match payload.await {
            Ok(payload) => {
                fields.remove("payload_zlib");
                let text = payload.as_deref().map_or("null", RawValue::get);
                let value = serde_json::from_str(text).unwrap_or_else(|_| text.into());
                fields.insert("payload".to_owned(), value);
            }
            Err(error) => {
                fields.insert("payload_error".to_owned(), error.to_string().into());
            }
        }
    }
    shown
}
