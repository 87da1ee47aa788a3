//! The `naq` command.

fn main() {}
