//! [`Actions`]: what can be done from the dashboard, by whoever offers it. Nothing is, unless
//! somebody does.

/// Something that can be done.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Action {
    /// Its name, by which it is asked for.
    pub name: String,
    /// What stands on its button.
    pub title: String,
    /// What it does, for whoever has never seen it.
    pub about: String,
    /// Whether it is being done.
    pub running: bool,
}

/// An action that is not begun.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotBegun {
    /// There is no such action.
    #[error("there is no such action")]
    Unknown,
    /// It cannot be done now, for this reason.
    #[error("{0}")]
    NotNow(String),
}

/// Offers actions.
pub trait Actions: Send + Sync {
    /// What can be done.
    fn all(&self) -> Vec<Action>;

    /// Begins one, and does not wait for its end.
    ///
    /// # Errors
    /// Why it is not begun.
    fn begin(&self, name: &str) -> Result<(), NotBegun>;
}
