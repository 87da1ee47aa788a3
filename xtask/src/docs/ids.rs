//! The ids that the conformance table has a row for.

/// Groups of the acceptance checklist: prefix and how many.
const CHECKLIST: [(&str, u32); 14] = [
    ("CM", 18),
    ("MM", 11),
    ("UT", 5),
    ("DE", 11),
    ("SV", 5),
    ("CF", 16),
    ("EV", 6),
    ("VA", 5),
    ("ER", 9),
    ("AD", 10),
    ("LG", 5),
    ("MG", 19),
    ("DO", 6),
    ("TS", 22),
];

/// Scenarios AC-01 to AC-39.
const SCENARIOS: u32 = 39;

pub(crate) fn expected() -> Vec<String> {
    let items = CHECKLIST
        .iter()
        .flat_map(|(prefix, count)| (1..=*count).map(move |number| format!("{prefix}{number}")));
    items
        .chain((1..=SCENARIOS).map(|number| format!("AC-{number:02}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checklist_has_148_items_and_39_scenarios() {
        let ids = expected();
        assert_eq!(ids.len(), 148 + 39);
        assert_eq!((ids[0].as_str(), ids[147].as_str()), ("CM1", "TS22"));
        assert_eq!((ids[148].as_str(), ids[186].as_str()), ("AC-01", "AC-39"));
    }
}
