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
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Some(text) = self.text() else {
            return Ok(IsNull::Yes);
        };
        match binary(&text, ty) {
            Some(bytes) => out.extend_from_slice(&bytes),
            None => out.extend_from_slice(text.as_bytes()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    /// As a service sends it where its type is one that a service has, and as text otherwise,
    /// for the server to read.
    fn encode_format(&self, ty: &Type) -> Format {
        match self.text() {
            Some(text) if binary(&text, ty).is_none() => Format::Text,
            _ => Format::Binary,
        }
    }

    to_sql_checked!();
}

/// A text as a value of a type, in the format that the server sends and takes in binary.
/// `None` of types that are not known here, and of what is no such value.
fn binary<'t>(text: &'t str, ty: &Type) -> Option<Cow<'t, [u8]>> {
    let number = text.trim();
    Some(match *ty {
        Type::INT8 => number.parse::<i64>().ok()?.to_be_bytes().to_vec().into(),
        Type::INT4 => number.parse::<i32>().ok()?.to_be_bytes().to_vec().into(),
        Type::INT2 => number.parse::<i16>().ok()?.to_be_bytes().to_vec().into(),
        Type::FLOAT8 => number.parse::<f64>().ok()?.to_be_bytes().to_vec().into(),
        Type::FLOAT4 => number.parse::<f32>().ok()?.to_be_bytes().to_vec().into(),
        Type::BOOL => match plain(number)? {
            Plain::Bool(value) => vec![u8::from(value)].into(),
            _ => return None,
        },
        Type::NUMERIC => numeric(number)?.into(),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::JSON => {
            text.as_bytes().into()
        }
        _ => return None,
    })
}

/// A decimal number in groups of four digits (`numeric_recv` in PostgreSQL's numeric.c).
fn numeric(text: &str) -> Option<Vec<u8>> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (0x4000_u16, digits),
        None => (0, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let whole = format!("{whole:0>width$}", width = whole.len().next_multiple_of(4));
    let padded = format!(
        "{fraction:0<width$}",
        width = fraction.len().next_multiple_of(4)
    );
    let all = whole.clone() + &padded;
    let groups: Vec<u16> = (0..all.len() / 4)
        .filter_map(|i| all.get(4 * i..4 * i + 4)?.parse().ok())
        .collect();
    let weight = i16::try_from(whole.len() / 4).ok()?.checked_sub(1)?;
    let words = [
        u16::try_from(groups.len()).ok()?,
        weight.cast_unsigned(),
        sign,
        u16::try_from(fraction.len()).ok()?,
    ];
    let words = words.into_iter().chain(groups);
    Some(words.flat_map(u16::to_be_bytes).collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_sent_as_a_service_sends_them() {
        let sent = |value: Value, ty: Type| {
            let mut out = BytesMut::new();
            let null = value.to_sql(&ty, &mut out).expect("sent");
            assert!(matches!(null, IsNull::No));
            let binary = matches!(value.encode_format(&ty), Format::Binary);
            (binary, out.to_vec())
        };
        let int = || Value::Int(-5);
        assert_eq!(sent(int(), Type::INT4), (true, vec![255, 255, 255, 251]));
        assert_eq!(sent(int(), Type::INT2), (true, vec![255, 251]));
        assert_eq!(sent(int(), Type::TEXT), (true, b"-5".to_vec()));
        // What the server has to read, or to refuse.
        assert_eq!(sent(int(), Type::INTERVAL), (false, b"-5".to_vec()));
        let large = Value::Int(1 << 40);
        assert_eq!(sent(large, Type::INT4), (false, b"1099511627776".to_vec()));
        let text = Value::Text("007".to_owned());
        assert_eq!(sent(text.clone(), Type::INT2), (true, vec![0, 7]));
        assert_eq!(sent(text, Type::TEXT), (true, b"007".to_vec()));
        assert_eq!(sent(Value::Bool(true), Type::BOOL), (true, vec![1]));
        assert!(matches!(
            Value::Null.to_sql(&Type::INT4, &mut BytesMut::new()),
            Ok(IsNull::Yes)
        ));
    }

    #[test]
    fn numerics_are_groups_of_four_digits() {
        let words = |text: &str| {
            let bytes = numeric(text)?;
            let words = bytes
                .chunks(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            Some(words.collect::<Vec<u16>>())
        };
        // As select encode(numeric_send(1234567.05), 'hex') says it.
        assert_eq!(words("1234567.05"), Some(vec![3, 1, 0, 2, 123, 4567, 500]));
        assert_eq!(words("-7"), Some(vec![1, 0, 0x4000, 0, 7]));
        assert_eq!(words("0.005"), Some(vec![2, 0, 0, 3, 0, 50]));
        assert_eq!(words("1e5"), None);
        assert_eq!(words("."), None);
    }
}
