//! Pictures of injections: how long recovery took after each kind of fault, and what
//! one fault did to each arm.
//!
//! - `recovery`, `bar`: the summary
//! - `spark`: goodput around each fault, in letters
//! - `fault`, `arm`, `lanes`, `gauge`, `answer`: one fault, arm by arm

mod all;
mod answer;
mod arm;
mod bar;
mod fault;
mod gauge;
mod lanes;
mod recovery;
mod spark;

pub(crate) use all::{by_fault, summary};
pub(crate) use spark::{around, goodput, sparks};

#[cfg(test)]
mod tests;
