//! W3C Trace Context: which trace something belongs to, and below which span.

use std::fmt;
use std::sync::Arc;

use async_nats::{HeaderMap, HeaderName, HeaderValue};

/// The header with what the vendors add.
const STATE: &str = "tracestate";

/// Which trace something belongs to, and below which span: the headers `traceparent` and `tracestate` of
/// [W3C Trace Context](https://www.w3.org/TR/trace-context/). A cheap handle.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TraceContext {
    parent: Arc<str>,
    state: Option<Arc<str>>,
}

impl TraceContext {
    /// The header that names trace and span.
    pub(crate) const PARENT: &str = "traceparent";

    /// Reads a `traceparent`, `00-<trace>-<span>-<flags>` in lower-case hexadecimal digits, and a `tracestate` that may
    /// belong to it. `None` if the first has another form or names no trace or span (only zeros); a later version of
    /// the form may have more behind the flags.
    pub fn new(parent: &str, state: Option<&str>) -> Option<Self> {
        let is_hex = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let is_zero = |part: &str| part.bytes().all(|b| b == b'0');
        let mut parts = parent.splitn(5, '-');
        let [version, trace, span, flags] = std::array::from_fn(|_| parts.next().unwrap_or(""));
        let lengths = [version, trace, span, flags].map(str::len);
        let is_known = match version {
            "ff" => false,
            "00" => parts.next().is_none(),
            _ => true,
        };
        let is_valid = is_known
            && lengths == [2, 32, 16, 2]
            && [version, trace, span, flags].into_iter().all(is_hex)
            && !is_zero(trace)
            && !is_zero(span)
            && !parent.chars().any(char::is_control);
        let is_line = |state: &&str| !state.is_empty() && !state.chars().any(char::is_control);
        is_valid.then(|| Self {
            parent: parent.into(),
            state: state.filter(is_line).map(Into::into),
        })
    }

    /// The `traceparent`.
    pub fn parent(&self) -> &str {
        &self.parent
    }

    /// The `tracestate`, if there is one.
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The trace, 32 hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        self.parent.get(3..35).unwrap_or_default()
    }

    /// The span, 16 hexadecimal digits.
    pub fn span_id(&self) -> &str {
        self.parent.get(36..52).unwrap_or_default()
    }

    /// Whether whoever made the span records the trace.
    pub fn is_sampled(&self) -> bool {
        let flags = self.parent.get(53..55).unwrap_or_default();
        u8::from_str_radix(flags, 16).is_ok_and(|flags| flags & 1 == 1)
    }

    /// What headers say; `None` if they say nothing, or nothing that can be read.
    pub(crate) fn read(headers: Option<&HeaderMap>) -> Option<Self> {
        let headers = headers.filter(|headers| !headers.is_empty())?;
        let parent = headers.get(Self::PARENT)?;
        let state = headers.get(STATE).map(HeaderValue::as_str);
        Self::new(parent.as_str(), state)
    }

    /// Replaces what headers say.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        headers.insert(Self::PARENT, self.parent());
        match self.state() {
            Some(state) => headers.insert(STATE, state),
            None if headers.get(STATE).is_some() => {
                let kept = headers
                    .iter()
                    .filter(|(name, _)| AsRef::<str>::as_ref(*name) != STATE);
                let each = |(name, values): (&HeaderName, &Vec<HeaderValue>)| {
                    let all = values.iter().map(|value| (name.clone(), value.clone()));
                    all.collect::<Vec<_>>()
                };
                *headers = kept.flat_map(each).collect();
            }
            None => {}
        }
    }

    /// Whether headers say anything, readable or not.
    pub(crate) fn is_said(headers: Option<&HeaderMap>) -> bool {
        headers.is_some_and(|headers| headers.get(Self::PARENT).is_some())
    }

    /// The headers, name and value.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let state = self.state().map(|state| (STATE, state));
        std::iter::once((Self::PARENT, self.parent())).chain(state)
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_parts_of_a_context_are_read() {
        let context = TraceContext::new(TRACE, Some("vendor=1")).unwrap();
        assert_eq!(context.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(context.span_id(), "00f067aa0ba902b7");
        assert_eq!(context.state(), Some("vendor=1"));
        assert!(context.is_sampled());
        assert!(
            !TraceContext::new(&TRACE.replace("-01", "-02"), None)
                .unwrap()
                .is_sampled()
        );
        // A later version may say more.
        assert!(TraceContext::new(&format!("cc{}-more", &TRACE[2..]), None).is_some());
    }

    #[test]
    fn what_is_no_context_is_none() {
        for bad in [
            "",
            "00-1-2-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-zz",
        ] {
            assert_eq!(TraceContext::new(bad, None), None, "{bad}");
        }
    }

    #[test]
    fn headers_are_replaced_as_a_pair() {
        let mut headers = HeaderMap::new();
        assert!(!TraceContext::is_said(Some(&headers)));
        TraceContext::new(TRACE, Some("vendor=1"))
            .unwrap()
            .write(&mut headers);
        assert!(TraceContext::is_said(Some(&headers)));
        let other = TraceContext::new(&TRACE.replace("b7-", "b8-"), None).unwrap();
        other.write(&mut headers);
        assert_eq!(TraceContext::read(Some(&headers)), Some(other));
        assert_eq!(headers.len(), 1);
    }

    proptest! {
        #[test]
        fn no_text_panics_the_reader(parent in ".{0,80}", state in ".{0,20}") {
            if let Some(context) = TraceContext::new(&parent, Some(&state)) {
                assert_eq!(context.trace_id().len() + context.span_id().len(), 48);
            }
        }
    }
}
