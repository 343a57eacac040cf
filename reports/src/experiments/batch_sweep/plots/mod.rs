//! Its pictures: speed-up and latency of a class over batch size.

mod speedup;
mod trace;

pub(super) use speedup::{name as speedup_name, picture as speedup};

#[cfg(test)]
mod tests;
