//! The `scenarios` command.
fn main() {}
