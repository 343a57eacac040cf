//! The values of a script's variables, and how they are written.

use std::{borrow::Cow, error::Error};

use bytes::BytesMut;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};

/// A value of a variable.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// TRUE or FALSE.
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// Text that was given to the script: by `-D`, or by `\gset` and `\aset`.
    Text(String),
}

impl Value {
    /// The value as pgbench prints it, and as it is sent as a parameter. Nothing for NULL.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Null => None,
            Self::Bool(true) => Some("true".into()),
            Self::Bool(false) => Some("false".into()),
            Self::Int(value) => Some(value.to_string().into()),
            Self::Double(value) => Some(double(*value).into()),
            Self::Text(text) => Some(text.into()),
        }
    }

    /// The value as pgbench writes it into a statement with `-M simple`: the text without
    /// quotes, and `NULL`. [`Statement::literal`](super::Statement::literal) quotes it.
    #[must_use]
    pub fn literal(&self) -> Cow<'_, str> {
        self.text().unwrap_or("NULL".into())
    }

    /// The value that an expression sees in a text, as pgbench reads it: NULL, a boolean
    /// (`t`, `yes`, `on` and the like), an integer, or a floating-point number. What is
    /// none of them stays text, which no expression can use.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        plain(text).map_or_else(|| Self::Text(text.to_owned()), Self::from)
    }
}

impl From<Plain> for Value {
    fn from(plain: Plain) -> Self {
        match plain {
            Plain::Null => Self::Null,
            Plain::Bool(value) => Self::Bool(value),
            Plain::Int(value) => Self::Int(value),
            Plain::Double(value) => Self::Double(value),
        }
    }
}

impl ToSql for Value {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Some(text) = self.text() else {
            return Ok(IsNull::Yes);
        };
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// A value that an expression can compute with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Plain {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
}

/// What an expression sees in a text, if it can use it.
pub(crate) fn plain(text: &str) -> Option<Plain> {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    let begins = |word: &str| {
        let start = word.as_bytes().get(..text.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(text.as_bytes()))
    };
    if text.is_empty() {
        return None;
    }
    if is("null") {
        return Some(Plain::Null);
    }
    if begins("true") || begins("yes") || is("on") {
        return Some(Plain::Bool(true));
    }
    if begins("false") || begins("no") || is("off") || is("of") {
        return Some(Plain::Bool(false));
    }
    let number = text.trim_start_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
    let digits = number.strip_prefix(['+', '-']).unwrap_or(number);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return number.parse().ok().map(Plain::Int);
    }
    constant(number).map(Plain::Double)
}

/// A floating-point number, unless it is too large or too small to be one.
pub(crate) fn constant(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    let mantissa = text.split(['e', 'E']).next().unwrap_or("");
    let finite = text.contains(|c: char| c.is_ascii_digit());
    let zero = !mantissa.contains(|c: char| ('1'..='9').contains(&c));
    let fits = !finite || (value == 0.0 && zero) || value.is_normal();
    fits.then_some(value)
}

/// `%.15g` as the printf of PostgreSQL writes it.
fn double(value: f64) -> String {
    const DIGITS: i32 = 15;
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        let text = if value > 0.0 { "Infinity" } else { "-Infinity" };
        return text.to_owned();
    }
    let written = format!("{value:.14e}");
    let (mantissa, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..DIGITS).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        let size = exponent.unsigned_abs();
        return format!("{}e{sign}{size:02}", without_zeros(mantissa));
    }
    let decimals = usize::try_from(DIGITS - 1 - exponent).unwrap_or(0);
    without_zeros(&format!("{value:.decimals$}")).to_owned()
}

/// A number without the zeros at the end of its decimals.
fn without_zeros(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}
