//! A value of an answer as text, as `\gset` puts it into a variable.

use std::error::Error;

use tokio_postgres::{
    Row,
    types::{FromSql, Type},
};

use crate::script::{Got, Run};

/// A value as text.
struct Text(String);

impl<'a> FromSql<'a> for Text {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let text = match *ty {
            Type::BOOL => if bool::from_sql(ty, raw)? { "t" } else { "f" }.to_owned(),
            Type::INT2 => i16::from_sql(ty, raw)?.to_string(),
            Type::INT4 => i32::from_sql(ty, raw)?.to_string(),
            Type::INT8 => i64::from_sql(ty, raw)?.to_string(),
            Type::OID => u32::from_sql(ty, raw)?.to_string(),
            Type::FLOAT4 => f32::from_sql(ty, raw)?.to_string(),
            Type::FLOAT8 => f64::from_sql(ty, raw)?.to_string(),
            Type::NUMERIC => numeric(raw).ok_or("not a number")?,
            Type::UUID => uuid(raw),
            _ => <&str>::from_sql(ty, raw)?.to_owned(),
        };
        Ok(Self(text))
    }

    fn accepts(ty: &Type) -> bool {
        let numbers = [
            Type::BOOL,
            Type::INT2,
            Type::INT4,
            Type::INT8,
            Type::OID,
            Type::FLOAT4,
            Type::FLOAT8,
            Type::NUMERIC,
            Type::UUID,
        ];
        numbers.contains(ty) || <&str>::accepts(ty)
    }
}

/// The columns of a row by name, each as text; `None` for NULL.
///
/// # Errors
/// Names the first whose type has no text here: `::text` gives it one.
fn columns(row: &Row) -> Result<Vec<(String, Option<String>)>, String> {
    let each = row.columns().iter().enumerate().map(|(i, column)| {
        let value: Option<Text> = row.try_get(i).map_err(|_| {
            format!(
                "column {} of type {} is no text, cast it: ::text",
                column.name(),
                column.type_()
            )
        })?;
        Ok((column.name().to_owned(), value.map(|text| text.0)))
    });
    each.collect()
}

/// Puts what was answered into the variables of a run, where its script says so.
///
/// # Errors
/// If there are not as many rows as it needs, or a column has no text.
pub(crate) fn take(run: &mut Run<'_>, got: Option<Got<'_>>, rows: &[Row]) -> Result<(), String> {
    let Some(got) = got else {
        return Ok(());
    };
    let row = match (got, rows) {
        (_, [only]) | (Got::Aset(_), [.., only]) => only,
        (Got::Aset(_), []) => return Ok(()),
        (Got::Gset(_), _) => {
            let n = rows.len();
            return Err(format!("\\gset needs exactly one row, and there are {n}"));
        }
    };
    run.got(got.prefix(), &columns(row)?);
    Ok(())
}

fn uuid(raw: &[u8]) -> String {
    let mut text = String::new();
    for (i, byte) in raw.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text += &format!("{byte:02x}");
    }
    text
}

/// A numeric, from groups of four decimal digits (`numeric_send` in PostgreSQL's numeric.c).
fn numeric(raw: &[u8]) -> Option<String> {
    let word = |i: usize| Some(u16::from_be_bytes([*raw.get(2 * i)?, *raw.get(2 * i + 1)?]));
    let (groups, weight) = (word(0)?, word(1)?.cast_signed());
    let (sign, scale) = (word(2)?, usize::from(word(3)?));
    let sign = match sign {
        0x0000 => "",
        0x4000 => "-",
        0xC000 => return Some("NaN".to_owned()),
        0xD000 => return Some("Infinity".to_owned()),
        0xF000 => return Some("-Infinity".to_owned()),
        _ => return None,
    };
    let group = |place: i32| {
        // The first group stands at the weight, and each one behind it one place lower.
        let i = usize::try_from(i32::from(weight) - place).ok();
        let i = i.filter(|i| *i < usize::from(groups));
        i.and_then(|i| word(4 + i)).unwrap_or(0)
    };
    let mut text = String::new();
    for place in (0..=i32::from(weight).max(0)).rev() {
        let digits = group(place);
        text += &if text.is_empty() {
            digits.to_string()
        } else {
            format!("{digits:04}")
        };
    }
    if scale > 0 {
        let places = i32::try_from(scale.div_ceil(4)).ok()?;
        let mut fraction: String = (1..=places).map(|p| format!("{:04}", group(-p))).collect();
        fraction.truncate(scale);
        text = format!("{text}.{fraction}");
    }
    Some(format!("{sign}{text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[u16]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn numerics_are_written_as_the_server_writes_them() {
        // As pg_send gives them: select encode(numeric_send(1234567.05), 'hex').
        for (raw, expected) in [
            (&[3, 1, 0, 2, 123, 4567, 500][..], "1234567.05"),
            (&[0, 0, 0, 0], "0"),
            (&[0, 0, 0, 2], "0.00"),
            (&[1, 0xFFFF, 0, 3, 50], "0.005"),
            (&[1, 1, 0, 0, 5], "50000"),
            (&[1, 0, 0x4000, 0, 7], "-7"),
            (&[0, 0, 0xC000, 0], "NaN"),
        ] {
            let found = numeric(&words(raw));
            assert_eq!(found.as_deref(), Some(expected), "{raw:?}");
        }
        assert_eq!(numeric(&[0, 1]), None);
    }
}
