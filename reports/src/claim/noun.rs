//! What is counted, by its name.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The name of what is counted, for one and for several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noun {
    one: Cow<'static, str>,
    many: Cow<'static, str>,
}

/// Injections of a fault.
pub const INJECTIONS: Noun = Noun::new("injection", "injections");

impl Noun {
    /// The name of one, and of several.
    #[must_use]
    pub const fn new(one: &'static str, many: &'static str) -> Self {
        Self {
            one: Cow::Borrowed(one),
            many: Cow::Borrowed(many),
        }
    }

    /// So many: `1 injection`, `2 injections`.
    #[must_use]
    pub fn of(&self, n: usize) -> String {
        match n {
            1 => format!("1 {}", self.one),
            n => format!("{n} {}", self.many),
        }
    }

    /// The name of several.
    #[must_use]
    pub fn many(&self) -> &str {
        &self.many
    }

    /// None of them: `no injection`.
    #[must_use]
    pub fn none(&self) -> String {
        format!("no {}", self.one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_any_other_number_is_not() {
        let said = [0, 1, 2].map(|n| INJECTIONS.of(n));
        assert_eq!(said, ["0 injections", "1 injection", "2 injections"]);
        assert_eq!(INJECTIONS.none(), "no injection");
    }
}
