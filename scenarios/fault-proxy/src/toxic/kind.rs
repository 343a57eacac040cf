//! The kinds of toxic: their names, and the names and ranges of their
//! attributes.
//!
//! One table says for each kind which attributes it has and what each may be;
//! reading, merging, refusing and echoing all go by it, so they cannot
//! disagree. A value outside its range is refused here, which is why no stage
//! needs to fear an overflow or a division by zero.

use std::time::Duration;

use serde::Serialize;

use super::Attributes;

/// Longest time, in the attribute's own unit (ms or us), and highest rate: what
/// a client with 32-bit attributes can send. 49 days in ms.
const U32_MAX: i64 = u32::MAX as i64;

/// The toxics there are, by the name that the API knows them by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Bandwidth,
    Blackhole,
    Latency,
    LimitData,
    Noop,
    Reset,
    ResetPeer,
    Slicer,
    SlowClose,
    Timeout,
}

/// One attribute: its name on the wire and its range.
pub(super) struct Field {
    pub(super) name: &'static str,
    min: i64,
    max: i64,
}

const fn field(name: &'static str) -> Field {
    Field {
        name,
        min: 0,
        max: U32_MAX,
    }
}

impl Kind {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "bandwidth" => Self::Bandwidth,
            "blackhole" => Self::Blackhole,
            "latency" => Self::Latency,
            "limit_data" => Self::LimitData,
            "noop" => Self::Noop,
            "reset" => Self::Reset,
            "reset_peer" => Self::ResetPeer,
            "slicer" => Self::Slicer,
            "slow_close" => Self::SlowClose,
            "timeout" => Self::Timeout,
            _ => return None,
        })
    }

    pub(super) fn fields(self) -> &'static [Field] {
        match self {
            Self::Bandwidth => const { &[field("rate")] },
            Self::Blackhole | Self::Noop | Self::Reset => &[],
            Self::Latency => const { &[field("latency"), field("jitter")] },
            Self::LimitData => {
                const {
                    &[Field {
                        name: "bytes",
                        min: 0,
                        max: i64::MAX,
                    }]
                }
            }
            Self::ResetPeer | Self::Timeout => const { &[field("timeout")] },
            Self::Slicer => {
                const {
                    &[
                        Field {
                            name: "average_size",
                            min: 1,
                            max: U32_MAX,
                        },
                        field("size_variation"),
                        field("delay"),
                    ]
                }
            }
            Self::SlowClose => const { &[field("delay")] },
        }
    }

    /// Starts from `old` (all 0 for a new toxic), takes what `given` says for
    /// each attribute by its name, and checks the whole.
    ///
    /// # Errors
    /// The first attribute that is outside its range, or what `given` failed with.
    pub(crate) fn read<E: From<AttributeError>>(
        self,
        old: Option<&Attributes>,
        mut given: impl FnMut(&'static str) -> Result<Option<i64>, E>,
    ) -> Result<Attributes, E> {
        let old = old.map(Attributes::values).unwrap_or_default();
        let mut values = [0; 3];
        for ((field, value), old) in self.fields().iter().zip(&mut values).zip(old) {
            *value = given(field.name)?.unwrap_or(old);
            if !(field.min..=field.max).contains(value) {
                return Err(AttributeError::OutOfRange {
                    name: field.name,
                    value: *value,
                    min: field.min,
                    max: field.max,
                }
                .into());
            }
        }
        Ok(self.build(values)?)
    }

    fn build(self, [a, b, c]: [i64; 3]) -> Result<Attributes, AttributeError> {
        Ok(match self {
            Self::Bandwidth => Attributes::Bandwidth {
                kilobytes_per_s: a.unsigned_abs(),
            },
            Self::Blackhole => Attributes::Blackhole,
            Self::Latency => Attributes::Latency {
                delay: millis(a),
                jitter: millis(b),
            },
            Self::LimitData => Attributes::LimitData {
                bytes: a.unsigned_abs(),
            },
            Self::Noop => Attributes::Noop,
            Self::Reset => Attributes::Reset,
            Self::ResetPeer => Attributes::ResetPeer { after: millis(a) },
            Self::Slicer if b > a => {
                return Err(AttributeError::VariationAboveAverage {
                    variation: b,
                    average: a,
                });
            }
            Self::Slicer => Attributes::Slicer {
                average_bytes: a.unsigned_abs(),
                variation_bytes: b.unsigned_abs(),
                delay: Duration::from_micros(c.unsigned_abs()),
            },
            Self::SlowClose => Attributes::SlowClose { delay: millis(a) },
            Self::Timeout => Attributes::Timeout { silence: millis(a) },
        })
    }
}

fn millis(value: i64) -> Duration {
    Duration::from_millis(value.unsigned_abs())
}

/// Why attributes were refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttributeError {
    #[error("{name} must be between {min} and {max}, was {value}")]
    OutOfRange {
        name: &'static str,
        value: i64,
        min: i64,
        max: i64,
    },
    #[error("size_variation must be at most average_size ({average}), was {variation}")]
    VariationAboveAverage { variation: i64, average: i64 },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: &str, given: &[(&str, i64)]) -> Result<Attributes, AttributeError> {
        Kind::parse(kind).unwrap().read(None, |name| {
            Ok(given
                .iter()
                .find(|(given, _)| *given == name)
                .map(|(_, value)| *value))
        })
    }

    #[test]
    fn every_kind_echoes_what_it_was_given() {
        for (kind, json) in [
            ("bandwidth", r#"{"rate":7}"#),
            ("blackhole", "{}"),
            ("latency", r#"{"latency":7,"jitter":7}"#),
            ("limit_data", r#"{"bytes":7}"#),
            ("noop", "{}"),
            ("reset", "{}"),
            ("reset_peer", r#"{"timeout":7}"#),
            (
                "slicer",
                r#"{"average_size":7,"size_variation":7,"delay":7}"#,
            ),
            ("slow_close", r#"{"delay":7}"#),
            ("timeout", r#"{"timeout":7}"#),
        ] {
            let kind = Kind::parse(kind).unwrap();
            let attributes = kind.read::<AttributeError>(None, |_| Ok(Some(7))).unwrap();
            assert_eq!(serde_json::to_string(&attributes).unwrap(), json);
            assert_eq!(attributes.kind(), kind);
        }
    }

    #[test]
    fn absurd_values_are_refused_and_say_why() {
        for (kind, given, message) in [
            (
                "latency",
                vec![("latency", -1)],
                "latency must be between 0 and 4294967295, was -1",
            ),
            (
                "latency",
                vec![("jitter", i64::MAX)],
                "jitter must be between",
            ),
            ("bandwidth", vec![("rate", -5)], "rate must be between"),
            ("slicer", vec![], "average_size must be between 1"),
            (
                "slicer",
                vec![("average_size", 4), ("size_variation", 5)],
                "size_variation must be at most average_size (4), was 5",
            ),
            (
                "limit_data",
                vec![("bytes", i64::MIN)],
                "bytes must be between",
            ),
        ] {
            let error = read(kind, &given).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }

    #[test]
    fn an_update_keeps_what_it_does_not_name() {
        let old = read("latency", &[("latency", 100), ("jitter", 10)]).unwrap();
        let new = Kind::Latency
            .read::<AttributeError>(Some(&old), |name| Ok((name == "jitter").then_some(20)));
        assert_eq!(
            new.unwrap(),
            read("latency", &[("latency", 100), ("jitter", 20)]).unwrap()
        );
    }
}
