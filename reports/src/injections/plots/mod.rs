//! Pictures of injections: how long recovery took after each kind of fault, and what
//! one fault did to each arm.
//!
//! - `recovery`, `bar`: the summary
//! - `fault`, `arm`, `lanes`, `gauge`, `answer`: one fault, arm by arm

mod all;
mod answer;
mod arm;
mod bar;
mod fault;
mod gauge;
mod lanes;
mod recovery;

pub(crate) use all::{by_fault, summary};

#[cfg(test)]
mod tests;
