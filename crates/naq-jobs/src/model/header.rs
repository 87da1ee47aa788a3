//! Which headers a sender may give a job.

/// Refuses what the server would not take, and names that belong to others; the text says what was asked for.
pub(super) fn check_header(name: &str, value: &str) -> Result<(), String> {
    let of_others = ["nats-", "naq-"];
    let lower = name.to_ascii_lowercase();
    if of_others.iter().any(|prefix| lower.starts_with(prefix)) {
        return Err(format!(
            "set the header {name:?}: names with `Nats-` and `Naq-` belong to the server and to NAQ"
        ));
    }
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_graphic() && b != b':') {
        return Err(format!(
            "set the header {name:?}: a name is printable ASCII without spaces and `:`"
        ));
    }
    if value.chars().any(char::is_control) {
        return Err(format!(
            "set the header {name:?}: its value is not one line of text"
        ));
    }
    Ok(())
}
