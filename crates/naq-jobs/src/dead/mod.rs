//! Dead letters: found, grouped, shown, changed, requeued, removed.

mod bulk;
mod edit;
mod filter;
mod fingerprint;
mod groups;
mod letter;
mod letters;
mod requeue;

pub use bulk::DeadBulk;
pub use filter::DeadFilter;
pub use groups::{DeadGroup, DeadGroups};
pub use letter::DeadLetter;
pub use letters::{DeadLetters, DeadPage};
