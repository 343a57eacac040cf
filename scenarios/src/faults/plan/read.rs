//! Reading a plan: TOML, and the flags that say the same.

use std::{ops::RangeInclusive, time::Duration};

use reports::run::Stream;
use toml::{Table, Value};

use super::{
    super::kind::{self, Kind},
    Plan, PlanError, SteadyState, Wish, wrong,
};

const REPEATS_MOST: i64 = 1_000;
/// Ten minutes.
const MS_MOST: u64 = 600_000;
/// Names become file names.
const NAME_MOST: usize = 40;

impl Plan {
    /// Reads a plan from a file's text, if there is one, followed by the faults of
    /// the command line.
    ///
    /// # Errors
    /// Names the first field that is not as it should be.
    pub fn parse(file: Option<&str>, flags: &[String]) -> Result<Self, PlanError> {
        let mut plan = Self {
            entries: Vec::new(),
            repeats: 1,
            steady: SteadyState::default(),
        };
        let mut faults = Vec::new();
        if let Some(text) = file {
            let table: Table = text.parse().map_err(|error: toml::de::Error| {
                let at = error.span().map_or(0, |span| {
                    text[..span.start.min(text.len())].matches('\n').count() + 1
                });
                wrong(format!("line {at}"), error.message(), "TOML")
            })?;
            plan.top_level(table, &mut faults)?;
        }
        for (i, flag) in flags.iter().enumerate() {
            let at = format!("--fault {}", i + 1);
            faults.push((at.clone(), flag_table(&at, flag)?));
        }
        for (at, table) in faults {
            let (name, wish) = wish(&at, table)?;
            plan.add(name, wish);
        }
        plan.check()?;
        Ok(plan)
    }

    fn top_level(
        &mut self,
        table: Table,
        faults: &mut Vec<(String, Table)>,
    ) -> Result<(), PlanError> {
        for (key, value) in table {
            match (key.as_str(), value) {
                ("repeats", Value::Integer(n @ 1..=REPEATS_MOST)) => {
                    self.repeats = u32::try_from(n).unwrap_or(1);
                }
                ("repeats", value) => {
                    return Err(wrong(key, value, format!("1 to {REPEATS_MOST}")));
                }
                ("steady_state", Value::Table(table)) => self.steady = steady(table)?,
                ("fault", Value::Array(list)) => {
                    for (i, value) in list.into_iter().enumerate() {
                        let at = format!("fault[{i}]");
                        match value {
                            Value::Table(table) => faults.push((at, table)),
                            other => return Err(wrong(at, other, "a table: [[fault]]")),
                        }
                    }
                }
                ("steady_state" | "fault", value) => {
                    return Err(wrong(key, value, "[steady_state] and [[fault]] are tables"));
                }
                _ => return Err(unknown("", &key, &["repeats", "steady_state", "fault"])),
            }
        }
        Ok(())
    }
}

fn steady(table: Table) -> Result<SteadyState, PlanError> {
    let mut steady = SteadyState::default();
    for (key, value) in table {
        let field = format!("steady_state.{key}");
        match key.as_str() {
            "ok_share" => steady.ok_share = Some(share(&field, &value)?),
            "p99_ms" => steady.p99 = Some(*duration(&field, &value)?.end()),
            _ => return Err(unknown("steady_state.", &key, &["ok_share", "p99_ms"])),
        }
    }
    Ok(steady)
}

/// One fault: its name, if it has one, and what it is to be.
fn wish(at: &str, mut table: Table) -> Result<(Option<String>, Wish), PlanError> {
    let kind = kind_of(at, table.remove("kind"))?;
    let mut wish = Wish::usual(kind);
    let mut name = None;
    for (key, value) in table {
        let field = format!("{at}.{key}");
        match key.as_str() {
            "name" => name = Some(name_of(&field, &value)?),
            "phase_ms" => wish.phase = Some(duration(&field, &value)?),
            "length_ms" => wish.length = Some(duration(&field, &value)?),
            "stream" if wish.stream.is_some() => wish.stream = Some(stream_of(&field, &value)?),
            "toxicity" if kind.has_toxicity() => {
                wish.toxicity = Some(share(&field, &value)?);
            }
            _ => {
                let known = kind.parameters;
                let Some(parameter) = known.iter().find(|p| p.name == key) else {
                    return Err(unknown(&format!("{at}."), &key, &keys_of(kind)));
                };
                let (least, most) = (parameter.least, parameter.most);
                let number = value.as_integer().and_then(|n| u32::try_from(n).ok());
                let number = number.filter(|n| (least..=most).contains(n));
                let number =
                    number.ok_or_else(|| wrong(field, &value, format!("{least} to {most}")))?;
                wish.parameters.push((parameter.name, number));
            }
        }
    }
    below(at, &wish, "jitter_ms", "latency_ms")?;
    below(at, &wish, "variation_bytes", "size_bytes")?;
    Ok((name, wish))
}

/// What deviates must deviate by less than what it deviates from, as far as both
/// are known here.
fn below(at: &str, wish: &Wish, small: &str, great: &str) -> Result<(), PlanError> {
    let set = |name| wish.parameters.iter().find(|(n, _)| *n == name);
    let Some((_, value)) = set(small) else {
        return Ok(());
    };
    let limit = set(great).map(|(_, value)| *value).or_else(|| {
        let known = wish.kind.parameters.iter();
        known
            .filter(|p| p.name == great)
            .find_map(|p| match p.usual {
                kind::Usual::Value(value) => Some(value),
                kind::Usual::OfDeadline(_) => None,
            })
    });
    let Some(limit) = limit else {
        let allowed = format!("only beside {great}");
        return Err(wrong(format!("{at}.{small}"), value, allowed));
    };
    if *value < limit {
        return Ok(());
    }
    let allowed = format!("less than {great}, which is {limit}");
    Err(wrong(format!("{at}.{small}"), value, allowed))
}

fn keys_of(kind: &Kind) -> Vec<&'static str> {
    let mut keys = vec!["kind", "name", "phase_ms", "length_ms"];
    keys.extend(kind.stream().map(|_| "stream"));
    keys.extend(kind.has_toxicity().then_some("toxicity"));
    keys.extend(kind.parameters.iter().map(|p| p.name));
    keys
}

fn kind_of(at: &str, value: Option<Value>) -> Result<&'static Kind, PlanError> {
    let field = format!("{at}.kind");
    let allowed = "one of `scenarios list faults`";
    let value = value.ok_or_else(|| wrong(&field, "missing", allowed))?;
    let name = value.as_str().unwrap_or_default();
    Kind::named(name).ok_or_else(|| {
        let near = nearest(name, kind::ALL.iter().map(|kind| kind.name));
        wrong(field, &value, format!("{allowed}{near}"))
    })
}

fn name_of(field: &str, value: &Value) -> Result<String, PlanError> {
    let fits = |name: &&str| {
        let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-+".contains(&b);
        (1..=NAME_MOST).contains(&name.len())
            && name.bytes().all(known)
            && !["recovery", "p95"].contains(name)
    };
    let name = value.as_str().filter(fits).map(str::to_owned);
    let allowed = format!("1 to {NAME_MOST} of a-z, 0-9, - and +, but not \"recovery\"");
    name.ok_or_else(|| wrong(field, value, allowed))
}

fn stream_of(field: &str, value: &Value) -> Result<Stream, PlanError> {
    let all = [Stream::Upstream, Stream::Downstream];
    let stream = all.into_iter().find(|s| value.as_str() == Some(s.name()));
    stream.ok_or_else(|| wrong(field, value, "\"upstream\" or \"downstream\""))
}

fn share(field: &str, value: &Value) -> Result<f64, PlanError> {
    let number = match value {
        Value::Float(number) => Some(*number),
        Value::Integer(number @ 0..=1) => Some(if *number == 0 { 0.0 } else { 1.0 }),
        _ => None,
    };
    let number = number.filter(|n| (0.0..=1.0).contains(n));
    number.ok_or_else(|| wrong(field, value, "0 to 1"))
}

/// A constant or a range of milliseconds.
fn duration(field: &str, value: &Value) -> Result<RangeInclusive<Duration>, PlanError> {
    let no = || {
        let allowed =
            format!("milliseconds, 0 to {MS_MOST}, or two of them in an array, the smaller first");
        wrong(field, value, allowed)
    };
    let ms = |value: &Value| {
        let number = value.as_integer().and_then(|n| u64::try_from(n).ok());
        number
            .filter(|n| *n <= MS_MOST)
            .map(Duration::from_millis)
            .ok_or_else(no)
    };
    let range = match value {
        Value::Array(two) => match two.as_slice() {
            [from, to] => ms(from)?..=ms(to)?,
            _ => return Err(no()),
        },
        one => ms(one)?..=ms(one)?,
    };
    if range.is_empty() {
        return Err(no());
    }
    Ok(range)
}

/// `latency,latency_ms=200,length_ms=500..900` as the table of a plan.
fn flag_table(at: &str, flag: &str) -> Result<Table, PlanError> {
    let mut parts = flag.split(',');
    let kind = parts.next().unwrap_or_default().trim().to_owned();
    let mut table = Table::from_iter([("kind".to_owned(), Value::String(kind))]);
    for part in parts {
        let Some((key, value)) = part.split_once('=') else {
            return Err(wrong(at, part, "KIND[,KEY=VALUE]..."));
        };
        let (key, value) = (key.trim(), value.trim());
        if table.contains_key(key) {
            return Err(wrong(format!("{at}.{key}"), "twice", "once"));
        }
        let value = match value.split_once("..") {
            Some((from, to)) => Value::Array(vec![scalar(from), scalar(to)]),
            None => scalar(value),
        };
        table.insert(key.to_owned(), value);
    }
    Ok(table)
}

fn scalar(text: &str) -> Value {
    let integer = text.parse().map(Value::Integer).ok();
    integer
        .or_else(|| text.parse().map(Value::Float).ok())
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

fn unknown(before: &str, key: &str, known: &[&str]) -> PlanError {
    let near = nearest(key, known.iter().copied());
    let allowed = format!("{}{near}", known.join(", "));
    wrong(format!("{before}{key}"), "no such key", allowed)
}

/// `; did you mean x?`, if something is near.
fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(text, name), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or_else(String::new, |(_, name)| format!("; did you mean {name}?"))
}
