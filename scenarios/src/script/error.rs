//! What is wrong with a script, and where.

/// An error in a script, at the place that has to be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {what}, allowed: {allowed}")]
pub struct ScriptError {
    /// The file, as it was named to [`Script::read`](super::Script::read).
    pub file: String,
    /// The line, counted from 1.
    pub line: u32,
    /// The character in the line, counted from 1.
    pub column: u32,
    /// What is wrong there.
    pub what: String,
    /// What may stand there.
    pub allowed: String,
}

/// What is wrong at a byte of a text, before it is known which file and line that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) what: String,
    pub(crate) allowed: String,
}

impl Fault {
    /// Boxed, so that what can fail stays small while it does not.
    pub(crate) fn boxed(
        at: usize,
        what: impl Into<String>,
        allowed: impl Into<String>,
    ) -> Box<Self> {
        let (what, allowed) = (what.into(), allowed.into());
        Box::new(Self { at, what, allowed })
    }

    /// The error that this is in a file.
    pub(crate) fn in_file(self, file: &str, text: &str) -> ScriptError {
        let (line, column) = place(text, self.at);
        ScriptError {
            file: file.to_owned(),
            line,
            column,
            what: self.what,
            allowed: self.allowed,
        }
    }
}

/// The line and the column of a byte of a text, both counted from 1.
pub(crate) fn place(text: &str, at: usize) -> (u32, u32) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before
        .get(start..)
        .map_or(0, |inside| inside.chars().count())
        + 1;
    (number(line), number(column))
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The name nearest to one that is not known, if one is near: it differs in a third of
/// its letters at most.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    known
        .into_iter()
        .map(|known| (strsim::osa_distance(&wanted, &known.to_lowercase()), known))
        .filter(|(distance, known)| *distance <= (known.chars().count() / 3).clamp(1, 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// `what`, and the nearest known name behind it.
pub(crate) fn with_nearest<'a>(
    what: String,
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> String {
    match nearest(name, known) {
        Some(near) => format!("{what}, did you mean {near}?"),
        None => what,
    }
}
