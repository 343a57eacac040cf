//! Reading request bodies as Go's encoding/json reads them.
//!
//! Keys match without regard to case, unknown keys are ignored, null means
//! not given, what follows the first value is ignored; a number for a string,
//! or 1.5 or "5" for an integer, is refused.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::ApiError;
use crate::proxy::Address;
use crate::toxic::{Attributes, Kind, Stream};

/// A proxy to be made.
#[derive(Debug, Clone)]
pub(crate) struct NewProxy {
    pub(crate) name: String,
    pub(crate) listen: Address,
    pub(crate) upstream: String,
    pub(crate) enabled: bool,
}

/// What is to change about a proxy.
#[derive(Debug, Clone)]
pub(crate) struct ProxyChange {
    pub(crate) listen: Option<Address>,
    pub(crate) upstream: Option<String>,
    pub(crate) enabled: Option<bool>,
}

/// A toxic to be made, before its attributes are read: whether its name is
/// free is asked before that.
#[derive(Debug)]
pub(crate) struct NewToxic<'a> {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) stream: Stream,
    pub(crate) stream_text: String,
    pub(crate) toxicity: f32,
    body: Object<'a>,
}

/// A JSON object; null and nothing are the empty one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Object<'a>(Option<&'a Map<String, Value>>);

/// # Errors
/// [`ApiError::BadBody`] if the body does not begin with a JSON value.
pub(super) fn parse(body: &[u8]) -> Result<Value, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    Value::deserialize(&mut reader).map_err(|error| {
        ApiError::BadBody(match error.is_eof() {
            true if body.trim_ascii().is_empty() => "EOF".to_owned(),
            true => "unexpected EOF".to_owned(),
            false => error.to_string(),
        })
    })
}

impl NewProxy {
    /// # Errors
    /// [`ApiError::BadBody`], [`ApiError::MissingField`].
    pub(super) async fn read(body: &Value) -> Result<Self, ApiError> {
        let body = Object::of(body, "proxy")?;
        let name = body.string("name")?.unwrap_or_default();
        let listen = body.string("listen")?.unwrap_or_default();
        let upstream = body.string("upstream")?.unwrap_or_default();
        let enabled = body.boolean("enabled")?.unwrap_or(true);
        for (field, value) in [("name", &name), ("upstream", &upstream)] {
            if value.is_empty() {
                return Err(ApiError::MissingField(field));
            }
        }
        Ok(Self {
            name,
            listen: Address::resolve(listen).await,
            upstream,
            enabled,
        })
    }

    /// All proxies of a populate request, or what is wrong with the first.
    ///
    /// # Errors
    /// [`ApiError::BadBody`], [`ApiError::MissingFieldAt`].
    pub(super) async fn read_all(body: &Value) -> Result<Vec<Self>, ApiError> {
        let list = match body {
            Value::Array(list) => list.as_slice(),
            Value::Null => &[],
            other => return Err(mismatch(other, "the body", "array")),
        };
        let mut proxies = Vec::with_capacity(list.len());
        for (index, body) in list.iter().enumerate() {
            proxies.push(Self::read(body).await.map_err(|error| match error {
                ApiError::MissingField(field) => ApiError::MissingFieldAt {
                    field,
                    position: index + 1,
                },
                other => other,
            })?);
        }
        Ok(proxies)
    }
}

impl ProxyChange {
    /// # Errors
    /// [`ApiError::BadBody`], [`ApiError::MissingField`] for an empty upstream.
    pub(super) async fn read(body: &Value) -> Result<Self, ApiError> {
        let body = Object::of(body, "proxy")?;
        let upstream = body.string("upstream")?;
        if upstream.as_deref() == Some("") {
            return Err(ApiError::MissingField("upstream"));
        }
        let enabled = body.boolean("enabled")?;
        let listen = match body.string("listen")? {
            Some(text) => Some(Address::resolve(text).await),
            None => None,
        };
        Ok(Self {
            listen,
            upstream,
            enabled,
        })
    }
}

impl<'a> NewToxic<'a> {
    /// # Errors
    /// [`ApiError::BadBody`], [`ApiError::InvalidStream`],
    /// [`ApiError::InvalidToxicType`].
    pub(crate) fn read(body: &'a Value) -> Result<Self, ApiError> {
        let body = Object::of(body, "toxic")?;
        let name = body.string("name")?.unwrap_or_default();
        let kind = body.string("type")?.unwrap_or_default();
        let stream_text = body
            .string("stream")?
            .unwrap_or_else(|| "downstream".to_owned());
        let toxicity = body.share("toxicity")?.unwrap_or(1.0);
        // What they hold depends on the kind, that they are an object does not: so that
        // is said before whether the name is free.
        body.object("attributes")?;
        let stream = Stream::parse(&stream_text).ok_or(ApiError::InvalidStream)?;
        let name = if name.is_empty() {
            format!("{kind}_{stream_text}")
        } else {
            name
        };
        let kind = Kind::parse(&kind).ok_or(ApiError::InvalidToxicType)?;
        Ok(Self {
            name,
            kind,
            stream,
            stream_text,
            toxicity,
            body,
        })
    }

    /// # Errors
    /// [`ApiError::BadBody`] for a wrong type or a value out of range.
    pub(crate) fn attributes(&self) -> Result<Attributes, ApiError> {
        let given = self.body.object("attributes")?;
        self.kind.read(None, |name| given.integer(name))
    }
}

impl<'a> Object<'a> {
    /// # Errors
    /// [`ApiError::BadBody`] if it is neither an object nor null.
    pub(crate) fn of(value: &'a Value, what: &str) -> Result<Self, ApiError> {
        match value {
            Value::Object(map) => Ok(Self(Some(map))),
            Value::Null => Ok(Self(None)),
            other => Err(mismatch(other, what, "object")),
        }
    }

    fn field(self, key: &str) -> Option<&'a Value> {
        let map = self.0?;
        let same_but_for_case = || {
            let mut entries = map.iter();
            entries
                .find(|(other, _)| other.eq_ignore_ascii_case(key))
                .map(|(_, value)| value)
        };
        map.get(key)
            .or_else(same_but_for_case)
            .filter(|value| !value.is_null())
    }

    fn string(self, key: &str) -> Result<Option<String>, ApiError> {
        self.field(key)
            .map(|value| match value {
                Value::String(text) => Ok(text.clone()),
                other => Err(mismatch(other, key, "string")),
            })
            .transpose()
    }

    fn boolean(self, key: &str) -> Result<Option<bool>, ApiError> {
        self.field(key)
            .map(|value| value.as_bool().ok_or_else(|| mismatch(value, key, "bool")))
            .transpose()
    }

    /// # Errors
    /// [`ApiError::BadBody`] if it is no integer of 64 bits.
    pub(crate) fn integer(self, key: &str) -> Result<Option<i64>, ApiError> {
        self.field(key)
            .map(|value| value.as_i64().ok_or_else(|| mismatch(value, key, "int64")))
            .transpose()
    }

    /// A number from 0 to 1.
    ///
    /// # Errors
    /// [`ApiError::BadBody`] if it is something else.
    pub(crate) fn share(self, key: &str) -> Result<Option<f32>, ApiError> {
        let Some(value) = self.field(key) else {
            return Ok(None);
        };
        let share = f32::deserialize(value).map_err(|_| mismatch(value, key, "float32"))?;
        if !(0.0..=1.0).contains(&share) {
            let text = format!("{key} must be between 0 and 1, was {value}");
            return Err(ApiError::BadBody(text));
        }
        Ok(Some(share))
    }

    /// # Errors
    /// [`ApiError::BadBody`] if it is no object.
    pub(crate) fn object(self, key: &str) -> Result<Self, ApiError> {
        self.field(key)
            .map_or(Ok(Self(None)), |value| Self::of(value, key))
    }
}

fn mismatch(value: &Value, key: &str, wanted: &str) -> ApiError {
    let found = match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(number) if wanted == "int64" => format!("number {number}"),
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Array(_) => "array".to_owned(),
        Value::Object(_) => "object".to_owned(),
    };
    ApiError::BadBody(format!(
        "json: cannot unmarshal {found} into {key} of type {wanted}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toxic(json: &str) -> Result<(String, Attributes), ApiError> {
        let body = parse(json.as_bytes())?;
        let toxic = NewToxic::read(&body)?;
        let attributes = toxic.attributes()?;
        Ok((toxic.name, attributes))
    }

    #[test]
    fn keys_match_without_case_and_null_means_not_given() {
        let (name, attributes) = toxic(
            r#"{"TYPE":"latency","Stream":"UpStream","attributes":{"LATENCY":5,"x":[]}, "y":1} tail"#,
        )
        .unwrap();
        assert_eq!(name, "latency_UpStream");
        assert_eq!(
            serde_json::to_string(&attributes).unwrap(),
            r#"{"latency":5,"jitter":0}"#
        );
        assert!(toxic(r#"{"type":"latency","attributes":null,"toxicity":null}"#).is_ok());
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for (json, expected) in [
            ("", "bad request body: EOF"),
            (r#"{"type":"#, "bad request body: unexpected EOF"),
            (
                "[]",
                "bad request body: json: cannot unmarshal array into toxic of type object",
            ),
            (
                r#"{"type":1}"#,
                "bad request body: json: cannot unmarshal number into type",
            ),
            (r#"{"type":"latency","stream":""}"#, "stream was invalid"),
            (r#"{"type":"latency","stream":"x"}"#, "stream was invalid"),
            (r#"{"type":"Latency"}"#, "invalid toxic type"),
            ("null", "invalid toxic type"),
            (
                r#"{"type":"latency","attributes":[]}"#,
                "bad request body: json: cannot unmarshal array into attributes of type object",
            ),
            (
                r#"{"type":"latency","attributes":{"latency":1.5}}"#,
                "bad request body: json",
            ),
            (
                r#"{"type":"latency","attributes":{"latency":"5"}}"#,
                "bad request body: json",
            ),
            (
                r#"{"type":"latency","attributes":{"latency":1e3}}"#,
                "bad request body: json",
            ),
            (
                r#"{"type":"noop","toxicity":"1"}"#,
                "bad request body: json",
            ),
            (
                r#"{"type":"noop","toxicity":1.01}"#,
                "bad request body: toxicity must be between",
            ),
            (
                r#"{"type":"noop","toxicity":-1}"#,
                "bad request body: toxicity must be between",
            ),
            (
                r#"{"type":"noop","toxicity":1e400}"#,
                "bad request body: number out of range",
            ),
        ] {
            let error = toxic(json).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{json}: {error}");
        }
    }

    #[test]
    fn a_body_nested_without_end_is_refused() {
        let error = parse("[".repeat(100_000).as_bytes()).unwrap_err();
        assert!(matches!(error, ApiError::BadBody(_)));
    }
}
