//! How values are read and written.

use bytes::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type};

use crate::script::Value;

#[test]
fn text_becomes_the_value_that_pgbench_makes_of_it() {
    for (text, expected) in [
        ("1", Value::Int(1)),
        ("+1", Value::Int(1)),
        (" -12", Value::Int(-12)),
        ("9223372036854775807", Value::Int(i64::MAX)),
        (
            "9223372036854775808",
            Value::Text("9223372036854775808".into()),
        ),
        ("1.5", Value::Double(1.5)),
        (".5", Value::Double(0.5)),
        ("1e3", Value::Double(1000.0)),
        ("0.0", Value::Double(0.0)),
        ("inf", Value::Double(f64::INFINITY)),
        ("1e400", Value::Text("1e400".into())),
        ("t", Value::Bool(true)),
        ("TRU", Value::Bool(true)),
        ("y", Value::Bool(true)),
        ("on", Value::Bool(true)),
        ("o", Value::Text("o".into())),
        ("F", Value::Bool(false)),
        ("no", Value::Bool(false)),
        ("of", Value::Bool(false)),
        ("null", Value::Null),
        ("nul", Value::Text("nul".into())),
        ("", Value::Text(String::new())),
        ("+", Value::Text("+".into())),
        ("1 ", Value::Text("1 ".into())),
        ("yesterday", Value::Text("yesterday".into())),
        ("trué", Value::Text("trué".into())),
    ] {
        assert_eq!(Value::of_text(text), expected, "{text:?}");
    }
}

#[test]
fn a_value_of_a_type_that_is_not_known_here_is_sent_as_text() {
    for (value, expected) in [
        (Value::Int(-5), Some("-5")),
        (Value::Double(0.1), Some("0.1")),
        (Value::Bool(true), Some("true")),
        (Value::Text("ä'b".into()), Some("ä'b")),
        (Value::Null, None),
    ] {
        let mut out = BytesMut::new();
        let sent = value
            .to_sql_checked(&Type::INTERVAL, &mut out)
            .expect("it is accepted");
        assert_eq!(matches!(sent, IsNull::Yes), expected.is_none(), "{value:?}");
        assert_eq!(&out[..], expected.unwrap_or("").as_bytes(), "{value:?}");
        assert_eq!(value.literal(), expected.unwrap_or("NULL"), "{value:?}");
    }
}
