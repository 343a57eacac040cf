//! [`Role`]: primary or replica.

/// What a server should be when it answers a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Any server will do.
    Any,
    /// The server takes writes.
    Primary,
    /// The server follows a primary.
    Replica,
}

impl Role {
    /// Its name, as the configuration has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Primary => "primary",
            Self::Replica => "replica",
        }
    }

    /// Whether a server is one that answers this to `SELECT pg_is_in_recovery()`.
    pub(crate) fn is(self, in_recovery: Option<&str>) -> bool {
        match self {
            Self::Any => true,
            Self::Primary => in_recovery == Some("f"),
            Self::Replica => in_recovery == Some("t"),
        }
    }
}
