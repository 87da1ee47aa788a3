//! What the default file shows of entries that have a name of the user's choice.

/// The section that an example is at the end of, and its lines at the indentation of a section's keys.
pub(super) const EXAMPLES: [(&str, &str); 2] = [
    (
        "queues",
        "\
# What differs for single queues.
configs:
  emails:
    ack_wait: 2m
    max_deliver: 5
    max_ack_pending: 100
    # Jobs at the same time in one worker, and of one limit key in all of them; starts per time.
    concurrency: 10
    max_running_per_key: 2
    rate: 100/s burst 20
    rate_per_key: 30/1m
",
    ),
    (
        "workers",
        "\
# Sets of queues with their own concurrency.
pools:
  mail:
    concurrency: 20
    queues: [emails, newsletters]

# Programs that handle a job kind each; no shell is involved. An empty timeout is that of the
# job or the worker, an empty directory that of the worker.
handlers:
  email.send:
    command: [python3, send_mail.py]
    timeout: 90s
    environment:
      SMTP_PASSWORD: ${SMTP_PASSWORD:none}
    working_directory: /srv/mail
    max_output: 512KiB
    stop_grace: 5s
",
    ),
];

/// Profiles, at the end of the file.
pub(super) const PROFILES: &str = "\
# What differs in an environment: --profile NAME or NAQ_ENVIRONMENT chooses one.
environments:
  staging:
    nats:
      servers: [\"nats://staging:4222\"]
      client_name: staging
";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::schema::keys;
    use crate::{Loader, Origin};

    #[test]
    fn the_examples_load_and_show_every_key_that_has_a_name_in_it() {
        let mut text = String::new();
        for (section, example) in EXAMPLES {
            text += &format!("{section}:\n");
            example
                .lines()
                .for_each(|line| text += &format!("  {line}\n"));
        }
        text += PROFILES;
        let loaded = Loader::new().text(text).profile("staging").load().unwrap();
        let set = |row: &crate::Shown<'_>| *row.origin != Origin::Default;
        let shown: BTreeSet<_> = loaded
            .show()
            .into_iter()
            .filter(set)
            .map(|row| row.key)
            .collect();
        let names = [
            ("<queue>", "emails"),
            ("<pool>", "mail"),
            ("<kind>", "email.send"),
            ("<variable>", "SMTP_PASSWORD"),
        ];
        for spec in keys().filter(|spec| spec.path.contains('<') && !spec.path.ends_with(['>'])) {
            let key = names
                .iter()
                .fold(spec.path.to_owned(), |key, (wild, name)| {
                    key.replace(wild, name)
                });
            assert!(shown.contains(&key), "{key}");
        }
        assert!(shown.contains("nats.client_name"));
    }
}
