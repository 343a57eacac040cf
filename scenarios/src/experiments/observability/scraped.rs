//! What an exposition says, read as a scraper reads it.

use std::collections::BTreeMap;

use seawall::metrics::ResultLabel;

const PREFIX: &str = "connection_pool_";

/// All series of one pool, by name and labels but those of the pool: as numbers, and as they
/// are written.
#[derive(Debug, Clone, Default)]
pub(super) struct Scraped(BTreeMap<String, f64>, BTreeMap<String, String>);

impl Scraped {
    /// Reads the text format. Lines that are not a series are left out.
    pub(super) fn of(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let all: BTreeMap<String, String> = lines.filter_map(series).collect();
        let values = all.iter().filter_map(|(series, value)| {
            let value = value.parse().ok()?;
            Some((series.clone(), value))
        });
        Self(values.collect(), all)
    }

    /// The value of a series: `name` without the prefix, `label` as `key="value"`, or empty.
    pub(super) fn value(&self, name: &str, label: &str) -> Option<f64> {
        self.0.get(&format!("{name}{{{label}}}")).copied()
    }

    pub(super) fn count(&self, name: &str, label: &str) -> u64 {
        let text = self.1.get(&format!("{name}{{{label}}}"));
        text.and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    fn sum(&self, name: &str, of: impl Fn(&str) -> bool) -> f64 {
        let begins = format!("{name}{{");
        let all = self.0.range(begins.clone()..);
        let all = all.take_while(|(series, _)| series.starts_with(&begins));
        all.filter(|(series, _)| of(&series[begins.len()..series.len() - 1]))
            .map(|(_, value)| value)
            .sum()
    }

    /// What contradicts itself in it, or an earlier one.
    pub(super) fn contradictions(&self, earlier: Option<&Self>) -> Vec<String> {
        let mut found = Vec::new();
        let mut equal = |what: &str, one: f64, other: f64| {
            if one != other {
                found.push(format!("{what}: {one} and {other}"));
            }
        };
        let total = self.sum("queries_total", |_| true);
        let results = self.sum("query_results_total", |_| true);
        equal("queries, and all results together", total, results);
        let kinds = self.sum("queries_by_kind_total", |_| true);
        equal("queries, and all kinds together", total, kinds);
        let errors = ResultLabel::all().filter(|label| label.is_error());
        let errors: Vec<String> = errors
            .map(|label| format!("result=\"{}\"", label.name()))
            .collect();
        let errors = self.sum("query_results_total", |label| {
            errors.iter().any(|error| error == label)
        });
        let failed = self.sum("query_errors_total", |_| true);
        equal("failed queries, and their results", failed, errors);
        let states = self.sum("circuit_breaker_in_state", |_| true);
        equal("the states of the circuit", states, 1.0);
        for (series, count) in &self.0 {
            let Some((name, labels)) = series.split_once("_count{") else {
                continue;
            };
            let more = labels.trim_end_matches('}');
            let comma = if more.is_empty() { "" } else { "," };
            let last = self.value(
                &format!("{name}_bucket"),
                &format!("{more}{comma}le=\"+Inf\""),
            );
            equal(name, *count, last.unwrap_or(-1.0));
        }
        for (of, part) in [
            ("connections_created_total", "connections_closed_total"),
            ("connections_acquired_total", "connections_reused_total"),
            ("health_checks_total", "health_checks_failed_total"),
        ] {
            let (all, some) = (self.sum(of, |_| true), self.sum(part, |_| true));
            // They are read one after another, the part behind.
            if some > all + 8.0 {
                found.push(format!("{part}: {some}, of {all}"));
            }
        }
        for (series, before) in earlier.iter().flat_map(|earlier| &earlier.0) {
            let name = series.split('{').next().unwrap_or_default();
            let only_up = ["_total", "_count", "_sum", "_bucket"];
            let only_up = only_up.iter().any(|end| name.ends_with(end));
            let now = self.0.get(series).copied();
            if only_up && now.is_none_or(|now| now < *before) {
                found.push(format!("{series}: {before}, and then {now:?}"));
            }
        }
        found
    }
}

/// A line without the prefix and the labels of the pool.
fn series(line: &str) -> Option<(String, String)> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = series.strip_prefix(PREFIX)?.split_once('{')?;
    let labels = labels.strip_suffix('}')?;
    let others = labels
        .split(',')
        .filter(|label| !label.starts_with("pool=") && !label.starts_with("role="));
    let others: Vec<&str> = others.collect();
    let key = format!("{name}{{{}}}", others.join(","));
    Some((key, value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: &str = "# TYPE connection_pool_queries_total counter\n\
        connection_pool_queries_total{pool=\"a\",role=\"any\"} 3\n\
        connection_pool_query_errors_total{pool=\"a\",role=\"any\"} 1\n\
        connection_pool_query_results_total{pool=\"a\",role=\"any\",result=\"ok\"} 2\n\
        connection_pool_query_results_total{pool=\"a\",role=\"any\",result=\"timeout\"} 1\n\
        connection_pool_queries_by_kind_total{pool=\"a\",role=\"any\",kind=\"select\"} 3\n\
        connection_pool_circuit_breaker_in_state{pool=\"a\",role=\"any\",state=\"open\"} 1\n\
        connection_pool_hold_duration_seconds_bucket{pool=\"a\",role=\"any\",le=\"+Inf\"} 4\n\
        connection_pool_hold_duration_seconds_count{pool=\"a\",role=\"any\"} 4\n";

    #[test]
    fn what_adds_up_is_no_contradiction_and_what_does_not_is_one() {
        let well = Scraped::of(WELL);
        assert_eq!(well.contradictions(None), [""; 0]);
        assert_eq!(well.count("query_results_total", "result=\"ok\""), 2);
        for (right, wrong) in [
            ("result=\"ok\"} 2", "result=\"ok\"} 3"),
            (
                "errors_total{pool=\"a\",role=\"any\"} 1",
                "errors_total{pool=\"a\",role=\"any\"} 0",
            ),
            ("kind=\"select\"} 3", "kind=\"select\"} 2"),
            ("state=\"open\"} 1", "state=\"open\"} 0"),
            ("le=\"+Inf\"} 4", "le=\"+Inf\"} 3"),
        ] {
            let changed = WELL.replace(right, wrong);
            assert_ne!(changed, WELL, "{right}");
            let found = Scraped::of(&changed).contradictions(None);
            assert!(!found.is_empty(), "{wrong}");
        }
        let later = Scraped::of(&WELL.replace(
            "_count{pool=\"a\",role=\"any\"} 4",
            "_count{pool=\"a\",role=\"any\"} 3",
        ));
        assert!(
            later
                .contradictions(Some(&well))
                .iter()
                .any(|c| c.contains("hold"))
        );
    }
}
