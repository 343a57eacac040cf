//! [`Source`]: metrics that another part of a service adds to those of a pool.

/// A value that a [`Source`] adds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// The name, in an exposition behind `connection_pool_`; that of a counter ends in `_total`.
    pub name: &'static str,
    /// What it is, in words, without a full stop. The same wherever the name is the same.
    pub help: &'static str,
    /// What kind of value it is. The same wherever the name is the same.
    pub kind: SampleKind,
    /// A label and its value, both from a fixed set.
    pub label: Option<(&'static str, &'static str)>,
    /// The value; of a counter a whole number.
    pub value: f64,
}

/// What kind of value a [`Sample`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleKind {
    /// It only goes up.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// Adds metrics of its own to those of a pool: a router, or whoever sizes it.
pub trait Source: Send + Sync + std::fmt::Debug {
    /// Its values now. It must not wait.
    fn samples(&self) -> Vec<Sample>;
}
