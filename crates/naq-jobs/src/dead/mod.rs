//! Dead letters: listed, shown, requeued, removed.

mod letters;
mod requeue;

pub use letters::{DeadLetter, DeadLetters, DeadPage};
