//! What the numbers of a claim are in.

use std::{borrow::Cow, convert::Infallible, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The unit of a claim's numbers. In `verdict.json`: `s`, `x`, `ratio`, or the name of
/// what is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Times something else.
    Times,
    /// A part of something, 0..=1.
    Ratio,
    /// So many of them: `writes`.
    Count(Cow<'static, str>),
}

impl Unit {
    /// So many of what is called this, for several.
    #[must_use]
    pub const fn count(many: &'static str) -> Self {
        Self::Count(Cow::Borrowed(many))
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seconds => "s",
            Self::Times => "x",
            Self::Ratio => "ratio",
            Self::Count(many) => many,
        })
    }
}

impl FromStr for Unit {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "s" => Self::Seconds,
            "x" => Self::Times,
            "ratio" => Self::Ratio,
            many => Self::Count(Cow::Owned(many.to_owned())),
        })
    }
}

impl Serialize for Unit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Unit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let Ok(unit) = text.parse();
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_read_as_it_was_written() {
        for (unit, text) in [
            (Unit::Seconds, "s"),
            (Unit::Times, "x"),
            (Unit::Ratio, "ratio"),
            (Unit::count("writes"), "writes"),
        ] {
            assert_eq!(serde_json::to_value(&unit).unwrap(), text);
            assert_eq!(serde_json::from_value::<Unit>(text.into()).unwrap(), unit);
        }
    }
}
