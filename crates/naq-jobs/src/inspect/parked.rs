//! Why jobs of a queue are parked.

use crate::JobsError;
use crate::model::QueueName;
use crate::parked::Why;
use crate::server::{Link, subjects_page};
use crate::wire::{Spot, Stage, parked_pattern};

/// Jobs of a queue that were put aside, by what they wait for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ParkedJobs {
    /// For a place: as many jobs of their limit key, or of their kind, run as may.
    pub for_limit: u64,
    /// For their kind: it is paused, or no worker knows it.
    pub for_kind: u64,
    /// For the end of another job.
    pub for_job: u64,
}

/// Counts the parked jobs of a queue by the subjects that they lie on.
pub(super) async fn parked(link: &Link, queue: &QueueName) -> Result<ParkedJobs, JobsError> {
    let conn = link.lease("count the parked jobs").await?;
    let names = link.names();
    let filter = names.filter(&parked_pattern(queue.as_str()));
    let (mut counted, mut seen) = (ParkedJobs::default(), 0);
    loop {
        let (subjects, total) = subjects_page(&conn, &names.jobs_stream(), &filter, seen).await?;
        seen += subjects.len();
        for subject in &subjects {
            if let Some(Stage::Parked(why)) = Spot::read(names, subject).map(|spot| spot.stage) {
                counted.add(&why);
            }
        }
        if subjects.is_empty() || seen >= total {
            return Ok(counted);
        }
    }
}

impl ParkedJobs {
    fn add(&mut self, why: &str) {
        match why {
            why if Why::is_limit(why) => self.for_limit += 1,
            why if Why::is_after(why) => self.for_job += 1,
            _ => self.for_kind += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::JobId;

    #[test]
    fn each_reason_for_which_jobs_are_parked_is_counted_as_what_it_is() {
        let mut counted = ParkedJobs::default();
        for why in [
            Why::key("tenant"),
            Why::kind_limit("mail.send"),
            Why::kind("mail.send"),
            Why::after(&JobId::new("one").unwrap()),
        ] {
            counted.add(why.as_str());
        }
        let meant = ParkedJobs {
            for_limit: 2,
            for_kind: 1,
            for_job: 1,
        };
        assert_eq!(counted, meant);
    }
}
