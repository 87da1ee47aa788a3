//! The keys described for others: a configuration file with comments, and a JSON Schema for editors.
//!
//! Both come from the key table and from the defaults themselves, so they cannot say anything else.

mod default_file;
mod examples;
mod json_schema;

pub use default_file::{default_file, environment_file, minimal_file};
pub use json_schema::json_schema;
