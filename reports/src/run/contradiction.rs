//! What is wrong with a record that can be read and makes no sense.

/// A field that holds what it must not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {value}, allowed: {allowed}")]
pub struct Contradiction {
    /// The field, as a path: `injections[2].arm`.
    pub field: String,
    /// What it holds.
    pub value: String,
    /// What it may hold.
    pub allowed: &'static str,
}

impl Contradiction {
    pub(crate) fn new(
        field: impl Into<String>,
        value: impl Into<String>,
        allowed: &'static str,
    ) -> Self {
        Self {
            field: field.into(),
            value: value.into(),
            allowed,
        }
    }

    /// The same, with the field seen from outside.
    pub(crate) fn within(self, outer: &str) -> Self {
        Self {
            field: format!("{outer}.{}", self.field),
            ..self
        }
    }
}
