//! The book against what it promises: its sections, its settings, its commands.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod chapters;
mod commands;
mod sections;
mod settings;
