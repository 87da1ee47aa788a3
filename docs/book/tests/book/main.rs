//! The book against what it promises: its sections, its settings, its commands.
