//! The names of events and counters; as in `names`, and nowhere else.

use naq_config::settings::EventsSettings;

use super::Names;

impl Names {
    /// What has happened; `events.stream.name` may say otherwise.
    pub(crate) fn events_stream(&self, settings: &EventsSettings) -> String {
        let name = settings.stream.name.clone();
        name.unwrap_or_else(|| format!("{}_events", self.prefix))
    }

    /// Subjects of events, by type, queue, kind, worker and job; `*` stands for any. A dot in a kind is a `~` here.
    pub(crate) fn event(&self, settings: &EventsSettings, parts: [&str; 5]) -> String {
        let own = settings.subject_prefix.as_deref();
        let mut subject = own.map_or_else(|| format!("{}.event", self.prefix), str::to_owned);
        for part in parts {
            subject.push('.');
            subject.push_str(&part.replace('.', "~"));
        }
        subject
    }

    /// How much has happened, by hour.
    pub(crate) fn counters_stream(&self) -> String {
        format!("{}_counters", self.prefix)
    }

    /// A counter: the hour, counted from 1970, what is counted, queue, kind and worker; `*` stands for any.
    pub(crate) fn counter(&self, parts: [&str; 5]) -> String {
        let [hour, what, queue, kind, worker] = parts;
        let kind = kind.replace('.', "~");
        format!(
            "{}.count.{hour}.{what}.{queue}.{kind}.{worker}",
            self.prefix
        )
    }

    /// Hour, what is counted, queue, kind and worker of a subject of [`Self::counter`].
    pub(crate) fn parse_counter(subject: &str) -> Option<[String; 5]> {
        let mut parts: Vec<String> = subject.rsplitn(6, '.').take(5).map(str::to_owned).collect();
        parts.reverse();
        let mut parts: [String; 5] = parts.try_into().ok()?;
        parts[3] = parts[3].replace('~', ".");
        Some(parts)
    }
}
