//! What the standard variables ask for, as far as the libraries below do not read them by themselves. Pure.

use std::time::Duration;

/// What the variables ask for that cannot be done. No job is touched by it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A variable asks for something that is not built in, or that nobody knows.
    #[error("{variable} is {value:?}: {hint}")]
    Unknown {
        /// The variable.
        variable: &'static str,
        /// What it says.
        value: String,
        /// What it can say instead.
        hint: &'static str,
    },
    /// The exporter refuses its settings, such as the address.
    #[error("the exporter cannot be made: {0}")]
    Exporter(String),
}

/// How traces are exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Time for one request.
    pub(crate) timeout: Duration,
}

const ENDPOINTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];
const PROTOCOLS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
];
const TIMEOUTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
];
const EXPORTER: &str = "OTEL_TRACES_EXPORTER";
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";

/// The samplers that the library has; it would take any other word for the default one.
const SAMPLERS: [&str; 6] = [
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
];

impl Default for Plan {
    fn default() -> Self {
        let timeout = Duration::from_secs(10);
        Self { timeout }
    }
}

/// Reads the variables; `None` if nothing is to be exported.
pub(crate) fn plan(get: impl Fn(&str) -> Option<String>) -> Result<Option<Plan>, ExportError> {
    // An empty variable is as good as none, says the specification.
    let get = |name: &str| {
        get(name)
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
    };
    let first = |names: [&'static str; 2]| {
        let found = |name: &'static str| get(name).map(|value| (name, value));
        names.into_iter().find_map(found)
    };
    let is_disabled =
        get("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true"));
    if is_disabled || first(ENDPOINTS).is_none() {
        return Ok(None);
    }
    let unknown = |variable, value, hint| {
        Err(ExportError::Unknown {
            variable,
            value,
            hint,
        })
    };
    match get(EXPORTER) {
        Some(none) if none == "none" => return Ok(None),
        Some(other) if other != "otlp" => {
            return unknown(EXPORTER, other, "`otlp` and `none` are there");
        }
        _ => {}
    }
    match first(PROTOCOLS) {
        Some((variable, value)) if value != "http/protobuf" => {
            let hint = "only `http/protobuf` is built in; collectors take it on port 4318";
            return unknown(variable, value, hint);
        }
        _ => {}
    }
    match get(SAMPLER) {
        Some(value) if !SAMPLERS.contains(&value.as_str()) => {
            let hint = "known are always_on, always_off, traceidratio, and these with `parentbased_` before them";
            return unknown(SAMPLER, value, hint);
        }
        _ => {}
    }
    let timeout = match first(TIMEOUTS) {
        None => return Ok(Some(Plan::default())),
        Some((variable, value)) => match value.parse() {
            Ok(ms) => Duration::from_millis(ms),
            Err(_) => return unknown(variable, value, "it is a number of milliseconds"),
        },
    };
    Ok(Some(Plan { timeout }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(variables: &[(&str, &str)]) -> Result<Option<Plan>, String> {
        let get = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        plan(get).map_err(|error| error.to_string())
    }

    const TO: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");

    #[test]
    fn nothing_is_exported_unless_there_is_somewhere_to() {
        assert_eq!(planned(&[]), Ok(None));
        assert_eq!(planned(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]), Ok(None));
        assert_eq!(planned(&[TO, ("OTEL_SDK_DISABLED", "true")]), Ok(None));
        assert_eq!(planned(&[TO, ("OTEL_TRACES_EXPORTER", "none")]), Ok(None));
        // Without a collector nobody cares what else is asked for.
        assert_eq!(
            planned(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]),
            Ok(None)
        );
        let plan = planned(&[TO]).unwrap().unwrap();
        assert_eq!(plan.timeout, Duration::from_secs(10));
    }

    #[test]
    fn the_variable_of_traces_comes_before_that_of_all() {
        let timeouts = [
            TO,
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "250"),
        ];
        let plan = planned(&timeouts).unwrap().unwrap();
        assert_eq!(plan.timeout, Duration::from_millis(250));
    }

    #[test]
    fn what_cannot_be_done_is_named_with_what_to_do() {
        for (name, value, wanted) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf"),
            ("OTEL_TRACES_EXPORTER", "zipkin", "`otlp`"),
            ("OTEL_TRACES_SAMPLER", "xray", "always_on"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "milliseconds"),
        ] {
            let error = planned(&[TO, (name, value)]).unwrap_err();
            assert!(error.contains(name) && error.contains(wanted), "{error}");
        }
    }
}
