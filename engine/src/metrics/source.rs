//! [`Source`]: metrics that another part of a service adds to those of a pool.

/// A value that a [`Source`] adds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// The name, in an exposition behind `connection_pool_`; that of a counter ends in `_total`.
    pub name: &'static str,
    /// What it is, in words, without a full stop. The same wherever the name is the same.
    pub help: &'static str,
    /// A label and its value, both from a fixed set.
    pub label: Option<(&'static str, &'static str)>,
    /// The value, of the same kind wherever the name is the same.
    pub value: SampleValue,
}

/// The value of a [`Sample`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SampleValue {
    /// It only goes up.
    Counter(u64),
    /// It goes up and down.
    Gauge(f64),
}

/// Adds metrics of its own to those of a pool: a router, or whoever sizes it.
pub trait Source: Send + Sync + std::fmt::Debug {
    /// Its values now. It must not wait.
    fn samples(&self) -> Vec<Sample>;
}
