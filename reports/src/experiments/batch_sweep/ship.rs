//! What to ship for a class, as sentences.

use crate::{
    numbers::{latency, times},
    page::listed,
};

use super::{ByRtt, ClassFinding, Findings, Mode, Recommendation};

/// Where no size can be named.
pub(super) const NOTHING: &str =
    "nothing: no size was measured well enough in every condition of this class";

/// How a batch is sent.
pub(crate) fn sent(mode: Mode) -> &'static str {
    match mode {
        Mode::Autocommit => "each statement a transaction of its own",
        Mode::OneTransaction => "each batch one transaction",
        Mode::Reads => "each batch asked for as one",
    }
}

/// `200 a batch, each batch one transaction: 6.20x to 52.1x the speed of one at a time`.
pub(super) fn what(recommended: &Recommendation) -> String {
    format!(
        "{} a batch, {}: {} the speed of one at a time",
        recommended.batch,
        sent(recommended.mode),
        speed(recommended)
    )
}

/// `6.20x to 52.1x`, over conditions.
pub(crate) fn speed(recommended: &Recommendation) -> String {
    let slowest = times(recommended.slowest);
    match recommended.conditions {
        1 => slowest,
        _ => format!("{slowest} to {}", times(recommended.fastest)),
    }
}

/// What came out: the sizes to ship, and what they give.
pub(super) fn finding(findings: &Findings) -> String {
    if findings.classes.is_empty() {
        return "No class of queries was measured, so that no batch size can be named.".to_owned();
    }
    let classes = findings.classes.iter();
    let named = classes.clone().filter_map(|class| {
        let recommended = class.recommended.as_ref()?;
        let (batch, speed) = (recommended.batch, speed(recommended));
        Some(format!("{batch} for {} ({speed})", class.name))
    });
    let without = classes.filter(|class| class.recommended.is_none());
    let without: Vec<String> = without.map(|class| class.name.clone()).collect();
    let named: Vec<String> = named.collect();
    let client = if findings.has_bare() {
        "a bare client"
    } else {
        "the engine"
    };
    let mut said = match named.len() {
        0 => "No batch size can be named yet".to_owned(),
        _ => format!(
            "Ship batches of {}: times the rate of {client} that sends one query at a time",
            listed(&named)
        ),
    };
    if !named.is_empty() && !without.is_empty() {
        said += &format!("; no size can be named yet for {}", listed(&without));
    }
    said + "."
}

/// The block of configuration, and as a comment what the code says beside it.
pub(super) fn settings(recommended: &Recommendation) -> String {
    let mut settings = recommended.toml.clone();
    for line in recommended.builder.iter().flat_map(|b| b.lines()) {
        settings += &format!("# {line}\n");
    }
    settings
}

/// What it costs.
pub(super) fn cost(recommended: &Recommendation) -> String {
    match (recommended.p50_s, recommended.p99_s) {
        (Some(p50), Some(p99)) => format!(
            "in batches that fill at once a query waits {} in the median and {} at p99, where that \
             is longest; one that fills slowly, up to `linger` more",
            latency(p50),
            latency(p99)
        ),
        _ => "what a query then waits was not measured".to_owned(),
    }
}

/// What the pipeline's own choice would do instead.
pub(super) fn auto(recommended: &Recommendation) -> String {
    let Some(auto) = recommended.auto else {
        return "the pipeline's own choice (auto) was not tried".to_owned();
    };
    let range = |least: f64, most: f64| {
        if most - least < 0.005 {
            format!("{least:.2}")
        } else {
            format!("{least:.2} to {most:.2}")
        }
    };
    let p50 = match (auto.least_p50, auto.most_p50) {
        (Some(least), Some(most)) => {
            format!(
                ", at {} times its median latency with as much to do as there can be",
                range(least, most)
            )
        }
        _ => String::new(),
    };
    let whose = match recommended.mode {
        Mode::OneTransaction => " (whose transactions are not your batches)",
        Mode::Autocommit | Mode::Reads => "",
    };
    format!(
        "auto{whose} has {} times the best fixed size's rate{p50}",
        range(auto.least_rate, auto.most_rate)
    )
}

/// The round-trip time that was there: what a user knows of.
pub(super) fn round_trip(at: &ByRtt) -> String {
    latency(at.measured_rtt_s.unwrap_or(at.rtt_s))
}

/// `0.09 ms: 100, 10.1 ms: 500`. `None` where there is one round-trip time.
pub(super) fn by_rtt(class: &ClassFinding) -> Option<String> {
    let each = class.by_rtt.iter().map(|at| {
        let rtt = round_trip(at);
        match &at.recommended {
            Some(recommended) => format!("{rtt}: {}", recommended.batch),
            None => format!("{rtt}: nothing"),
        }
    });
    let each: Vec<String> = each.collect();
    (each.len() > 1).then(|| format!("if your round trip is known: {}", each.join(", ")))
}

/// `the guide: 500`, or that it is the user's own.
pub(super) fn guide(class: &ClassFinding) -> String {
    match class.guide_batch {
        Some(batch) => format!("the guide: {batch}"),
        None => "your own".to_owned(),
    }
}
