//! Labels: what became of a query, and what kind of statement it is.

use crate::error::ErrorClass;

/// What became of a query that a caller asked for, whether it was sent or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResultLabel {
    /// It was answered without an error.
    Ok,
    /// Its caller went away before it was answered.
    GivenUp,
    /// Of a pipeline: its transaction was rolled back.
    RolledBack,
    /// Of a pipeline: it was not run, because one before it failed.
    Skipped,
    /// It failed, or no connection could be had for it.
    Failed(ErrorClass),
}

/// How many labels are not of an error.
const APART: usize = 4;

impl ResultLabel {
    /// How many labels there are.
    pub const COUNT: usize = APART + ErrorClass::ALL.len();

    /// All labels, in the order of their metrics.
    pub fn all() -> impl Iterator<Item = Self> {
        let apart = [Self::Ok, Self::GivenUp, Self::RolledBack, Self::Skipped];
        let failed = ErrorClass::ALL.iter().copied().map(Self::Failed);
        apart.into_iter().chain(failed)
    }

    /// Its name in an exposition.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::GivenUp => "given_up",
            Self::RolledBack => "rolled_back",
            Self::Skipped => "skipped",
            Self::Failed(class) => class.name(),
        }
    }

    /// Whether the query failed; one that was given up did not.
    #[must_use]
    pub fn is_error(self) -> bool {
        !matches!(self, Self::Ok | Self::GivenUp)
    }

    pub(super) fn index(self) -> usize {
        match self {
            Self::Ok => 0,
            Self::GivenUp => 1,
            Self::RolledBack => 2,
            Self::Skipped => 3,
            Self::Failed(class) => APART + class as usize,
        }
    }
}

/// What became of a query of a pipeline, as a label: its
/// [`Outcome`](crate::pipeline::Outcome) without the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OutcomeLabel {
    /// It ran, and what it did is committed.
    Ok,
    /// It was refused.
    Failed,
    /// Its transaction was rolled back.
    RolledBack,
    /// It was not run, because one before it failed.
    Skipped,
    /// It changed nothing, because it did not leave.
    NotSent,
    /// It left, and was not answered.
    Unknown,
}

impl OutcomeLabel {
    /// All labels, in the order of their metrics.
    pub const ALL: &[Self] = &[
        Self::Ok,
        Self::Failed,
        Self::RolledBack,
        Self::Skipped,
        Self::NotSent,
        Self::Unknown,
    ];

    /// Its name in an exposition.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::RolledBack => "rolled_back",
            Self::Skipped => "skipped",
            Self::NotSent => "not_sent",
            Self::Unknown => "unknown",
        }
    }
}

/// What kind of statement a query is, by its first word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QueryKind {
    /// `SELECT`.
    Select,
    /// `INSERT`.
    Insert,
    /// `UPDATE`.
    Update,
    /// `DELETE`.
    Delete,
    /// Any other, `WITH` among them.
    Other,
}

impl QueryKind {
    /// All kinds, in the order of their metrics.
    pub const ALL: &[Self] = &[
        Self::Select,
        Self::Insert,
        Self::Update,
        Self::Delete,
        Self::Other,
    ];

    /// Its name in an exposition.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Select => "select",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Other => "other",
        }
    }
}

/// The classes of SQLSTATEs (their first two characters) that PostgreSQL knows, appendix A of
/// its manual; the last stands for all others.
pub const SQLSTATE_CLASSES: &[&str] = &[
    "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "20", "21", "22", "23", "24",
    "25", "26", "27", "28", "2B", "2D", "2F", "34", "38", "39", "3B", "3D", "3F", "40", "42", "44",
    "53", "54", "55", "57", "58", "72", "F0", "HV", "P0", "XX", "other",
];

/// The place of an SQLSTATE's class in [`SQLSTATE_CLASSES`].
pub(super) fn sqlstate_class(code: &str) -> usize {
    let class = code.get(..2).unwrap_or_default();
    let known = SQLSTATE_CLASSES.iter().position(|known| *known == class);
    known.unwrap_or(SQLSTATE_CLASSES.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_has_a_place_and_a_name_of_its_own() {
        let all: Vec<_> = ResultLabel::all().collect();
        assert_eq!(all.len(), ResultLabel::COUNT);
        for (i, label) in all.iter().enumerate() {
            assert_eq!(label.index(), i);
            let same = all.iter().filter(|other| other.name() == label.name());
            assert_eq!(same.count(), 1, "{label:?}");
        }
        for (i, kind) in QueryKind::ALL.iter().enumerate() {
            assert_eq!(*kind as usize, i);
        }
    }

    #[test]
    fn an_sqlstate_that_nobody_knows_is_among_the_others() {
        assert_eq!(SQLSTATE_CLASSES[sqlstate_class("23505")], "23");
        for odd in ["ZZ000", "", "2", "ü1"] {
            assert_eq!(SQLSTATE_CLASSES[sqlstate_class(odd)], "other", "{odd}");
        }
    }
}
