//! How a threshold is written: `recovery.p95{fault=crash} < 2s`.

use std::fmt;

use crate::sample::{Measure, Quantity, Statistic};

/// A bound of the user's on a measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// As it was typed.
    pub text: String,
    /// The name of the measure.
    pub measure: &'static str,
    /// What its values are in.
    pub quantity: Quantity,
    /// Of all values together; without one, each place is judged by itself.
    pub statistic: Option<Statistic>,
    /// The places that it is about: labels that they have to have.
    pub labels: Vec<(String, String)>,
    /// How the measure and the bound have to compare.
    pub comparison: Comparison,
    /// The bound, in the unit of the measure.
    pub bound: f64,
}

/// How two numbers compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

impl Comparison {
    /// Longer ones first, since `<` begins `<=`.
    const ALL: [(&'static str, Self); 6] = [
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("==", Self::Equal),
        ("!=", Self::NotEqual),
        ("<", Self::Below),
        (">", Self::Above),
    ];

    /// Whether a number compares so with a bound.
    #[must_use]
    pub fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Below => value < bound,
            Self::AtMost => value <= bound,
            Self::Above => value > bound,
            Self::AtLeast => value >= bound,
            // Both are decimal numbers that somebody wrote or that were rounded to micros.
            Self::Equal => (value - bound).abs() < 5e-7,
            Self::NotEqual => (value - bound).abs() >= 5e-7,
        }
    }
}

/// What is wrong with a threshold, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// As it was typed.
    pub text: String,
    /// The character at which it stops making sense, from 1.
    pub column: usize,
    /// What is there.
    pub found: String,
    /// What is allowed there.
    pub allowed: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: column {}: {}, allowed: {}",
            self.text, self.column, self.found, self.allowed
        )
    }
}

impl std::error::Error for Malformed {}

impl Threshold {
    /// Reads `MEASURE[.STATISTIC][{LABEL=VALUE,...}] COMPARISON NUMBER[UNIT]`, of one of these
    /// measures. Labels may stand before the statistic as well. Values of labels with other
    /// characters than letters, digits and `-_.` stand in double quotes.
    ///
    /// # Errors
    /// The first character at which it stops making sense, and what is allowed there.
    pub fn parse(text: &str, measures: &[Measure]) -> Result<Self, Malformed> {
        let mut reader = Reader { text, at: 0 };
        reader.skip_spaces();
        let start = reader.at;
        let name = reader.word(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
        let (measure, mut statistic) = reader.measure(start, name, measures)?;
        let mut labels = Vec::new();
        reader.skip_spaces();
        if reader.takes("{") {
            labels = reader.labels()?;
            if reader.takes(".") {
                let start = reader.at;
                let name = reader.word(|c| c.is_ascii_alphanumeric());
                match Statistic::named(name) {
                    Some(named) if statistic.is_none() => statistic = Some(named),
                    Some(_) => return Err(reader.wrong_at(start, "one statistic")),
                    None => return Err(reader.wrong_at(start, &statistics())),
                }
            }
            reader.skip_spaces();
        }
        let comparison = Comparison::ALL
            .into_iter()
            .find(|(sign, _)| reader.takes(sign));
        let Some((_, comparison)) = comparison else {
            let signs = Comparison::ALL.map(|(sign, _)| sign).join(" ");
            let allowed = match statistic {
                None if labels.is_empty() => format!("one of {signs}, or {{label=value}}"),
                _ => format!("one of {signs}"),
            };
            return Err(reader.wrong_at(reader.at, &allowed));
        };
        reader.skip_spaces();
        let counts = statistic == Some(Statistic::Count);
        let quantity = match measure.quantity {
            _ if counts => Quantity::Number("values"),
            quantity => quantity,
        };
        let bound = reader.number(quantity)?;
        reader.skip_spaces();
        if reader.at < text.len() {
            return Err(reader.wrong_at(reader.at, "nothing more"));
        }
        Ok(Self {
            text: text.trim().to_owned(),
            measure: measure.name,
            quantity,
            statistic,
            labels,
            comparison,
            bound,
        })
    }
}

fn statistics() -> String {
    let names = Statistic::NAMED.map(|(name, _)| name);
    format!("one of {}", names.join(", "))
}

struct Reader<'a> {
    text: &'a str,
    /// Bytes that were read.
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn takes(&mut self, sign: &str) -> bool {
        let there = self.rest().starts_with(sign);
        if there {
            self.at += sign.len();
        }
        there
    }

    fn word(&mut self, of: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !of(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn wrong_at(&self, at: usize, allowed: &str) -> Malformed {
        let rest = &self.text[at..];
        let word: String = rest.chars().take_while(|c| !c.is_whitespace()).collect();
        Malformed {
            text: self.text.to_owned(),
            column: self.text[..at].chars().count() + 1,
            found: match rest.chars().next() {
                None => "nothing more".to_owned(),
                Some(c) if word.is_empty() => format!("{c:?}"),
                Some(_) => format!("{word:?}"),
            },
            allowed: allowed.to_owned(),
        }
    }

    /// The measure of a name, and the statistic behind it.
    fn measure<'m>(
        &self,
        start: usize,
        name: &str,
        measures: &'m [Measure],
    ) -> Result<(&'m Measure, Option<Statistic>), Malformed> {
        let named = |name: &str| measures.iter().find(|measure| measure.name == name);
        if let Some(measure) = named(name) {
            return Ok((measure, None));
        }
        if let Some((front, last)) = name.rsplit_once('.')
            && let Some(measure) = named(front)
        {
            return match Statistic::named(last) {
                Some(statistic) => Ok((measure, Some(statistic))),
                None => Err(self.wrong_at(start + front.len() + 1, &statistics())),
            };
        }
        let mut names: Vec<&str> = measures.iter().map(|measure| measure.name).collect();
        names.sort_unstable();
        Err(self.wrong_at(start, &format!("one of {}", names.join(", "))))
    }

    /// Behind `{`.
    fn labels(&mut self) -> Result<Vec<(String, String)>, Malformed> {
        let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
        let mut labels: Vec<(String, String)> = Vec::new();
        loop {
            self.skip_spaces();
            let start = self.at;
            let name = self.word(plain);
            if name.is_empty() {
                return Err(self.wrong_at(start, "a label, as in {fault=crash}"));
            }
            if labels.iter().any(|(known, _)| known == name) {
                return Err(self.wrong_at(start, "each label once"));
            }
            self.skip_spaces();
            if !self.takes("=") {
                return Err(self.wrong_at(self.at, "= and a value"));
            }
            self.skip_spaces();
            let start = self.at;
            let value = if self.takes("\"") {
                let value = self.word(|c| c != '"');
                if !self.takes("\"") {
                    return Err(self.wrong_at(start, "a value that ends with \""));
                }
                value
            } else {
                self.word(plain)
            };
            if value.is_empty() {
                return Err(self.wrong_at(start, "a value"));
            }
            labels.push((name.to_owned(), value.to_owned()));
            self.skip_spaces();
            if self.takes("}") {
                return Ok(labels);
            }
            if !self.takes(",") {
                return Err(self.wrong_at(self.at, ", or }"));
            }
        }
    }

    /// A number with its unit, in the unit of the measure.
    fn number(&mut self, quantity: Quantity) -> Result<f64, Malformed> {
        let start = self.at;
        let digits = self.word(|c| c.is_ascii_digit() || "+-.eE".contains(c));
        // What is no number of its own may be the start of a unit.
        let number = digits
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite());
        let Some(number) = number else {
            return Err(self.wrong_at(start, &format!("a number{}", example(quantity))));
        };
        self.skip_spaces();
        let start = self.at;
        let unit = self.word(|c| c.is_alphabetic() || c == '%' || c == '/' || c == 'µ');
        let units = units(quantity);
        let factor = units
            .iter()
            .find(|(known, _)| *known == unit)
            .map(|(_, factor)| *factor);
        let factor = factor.or_else(|| match quantity {
            Quantity::Number(many) if unit == many => Some(1.0),
            _ => None,
        });
        match factor {
            Some(factor) => Ok(number * factor),
            None => {
                let names: Vec<&str> = units.iter().map(|(unit, _)| *unit).collect();
                let mut names: Vec<&str> = names.into_iter().filter(|n| !n.is_empty()).collect();
                if let Quantity::Number(many) = quantity {
                    names.push(many);
                }
                let or_none = if matches!(quantity, Quantity::Seconds) {
                    ""
                } else {
                    ", or no unit"
                };
                Err(self.wrong_at(start, &format!("the unit {}{or_none}", names.join(", "))))
            }
        }
    }
}

/// Units that a bound may have, and how many of the measure's unit each is. A time has to
/// have one; `0` alone is no time either, as everywhere.
fn units(quantity: Quantity) -> &'static [(&'static str, f64)] {
    match quantity {
        Quantity::Seconds => &[
            ("us", 1e-6),
            ("µs", 1e-6),
            ("ms", 1e-3),
            ("s", 1.0),
            ("m", 60.0),
        ],
        Quantity::Ratio => &[("", 1.0), ("%", 0.01)],
        Quantity::Times => &[("", 1.0), ("x", 1.0)],
        Quantity::Number(_) => &[("", 1.0)],
    }
}

fn example(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Seconds => " with a unit, as in 250ms or 2s",
        Quantity::Ratio => ", as in 0.99 or 99%",
        Quantity::Times => ", as in 1.2 or 1.2x",
        Quantity::Number(_) => "",
    }
}
