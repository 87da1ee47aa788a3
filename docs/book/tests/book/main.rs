//! The book against what it promises: its sections, its settings, its commands.

mod chapters;
mod commands;
mod sections;
mod settings;
