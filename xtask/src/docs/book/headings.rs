//! The anchors of a page, as mdBook makes them from its headings.

use std::collections::{BTreeMap, BTreeSet};

pub(super) fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut found = BTreeSet::new();
    let mut in_code = false;
    for line in text.lines() {
        in_code ^= line.starts_with("```");
        let title = line.trim_start_matches('#');
        let is_heading = (1..=6).contains(&(line.len() - title.len())) && title.starts_with(' ');
        if in_code || !is_heading {
            continue;
        }
        let anchor = anchor_of(title.trim());
        let count = seen.entry(anchor.clone()).or_insert(0);
        let again = *count;
        *count += 1;
        found.insert(match again {
            0 => anchor,
            _ => format!("{anchor}-{again}"),
        });
    }
    found
}

/// Letters and digits in lower case, blanks as dashes, nothing else but dashes and underscores.
fn anchor_of(title: &str) -> String {
    let kept = title.chars().filter_map(|c| match c {
        c if c.is_alphanumeric() || c == '_' || c == '-' => Some(c.to_ascii_lowercase()),
        c if c.is_whitespace() => Some('-'),
        _ => None,
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_become_anchors_and_comments_in_code_do_not() {
        let text = "# One: a `nats_connection()`\n\n```sh\n# not this\n```\n### 2. Two & three\n#hash\n## 2. Two & three";
        let expected = ["2-two--three", "2-two--three-1", "one-a-nats_connection"];
        assert_eq!(anchors(text), expected.map(str::to_owned).into());
    }
}
