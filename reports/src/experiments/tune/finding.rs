//! The settings together.

use serde::{Deserialize, Serialize};

use super::{
    Data,
    batch::{self, BatchFinding},
    block,
    breaker::{self, BreakerFinding},
    pool::{self, PoolFinding, SizeFinding},
};
use crate::{
    numbers::latency,
    run::{Ended, Run},
};

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Findings {
    /// The settings, in the order of the file.
    pub choices: Vec<Choice>,
    /// Settings that should have been found and were not.
    pub missing: Vec<Missing>,
    /// The file of configuration.
    pub toml: String,
    /// What was found of pool sizes.
    pub pool: PoolFinding,
    #[serde(skip)]
    pub(super) batch: BatchFinding,
    #[serde(skip)]
    pub(super) breaker: BreakerFinding,
}

/// A setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// One of the guide's keys.
    pub key: String,
    /// Its value, in TOML.
    pub value: String,
    /// What it was chosen by, with figures.
    pub evidence: String,
    /// What it would cost to be wrong.
    pub if_wrong: String,
    /// Other values that the data do not tell from it.
    pub close: Vec<String>,
}

/// A setting that was not found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// One of the guide's keys.
    pub key: String,
    /// Why not.
    pub reason: String,
}

impl Choice {
    /// `8, 12 and 16 are too close to tell`; `None` if there is no other.
    pub(super) fn too_close(&self) -> Option<String> {
        if self.close.is_empty() {
            return None;
        }
        let mut all: Vec<&str> = self.close.iter().map(String::as_str).collect();
        all.push(&self.value);
        let number = |text: &&str| text.parse::<f64>().unwrap_or(0.0);
        all.sort_by(|a, b| number(a).total_cmp(&number(b)).then(a.cmp(b)));
        let (last, first) = all.split_last()?;
        Some(format!(
            "{} and {last} are too close to tell",
            first.join(", ")
        ))
    }
}

/// Finds it.
#[must_use]
pub fn find(run: &Run, data: &Data) -> Findings {
    let pool = pool::find(&data.pool);
    let batch = batch::find(run, data);
    let breaker = breaker::find(run, data);
    let mut choices = Vec::new();
    let mut missing = Vec::new();
    match connections(data, &pool) {
        Some(choice) => choices.push(choice),
        None => missing.push(Missing {
            key: "max_connections".to_owned(),
            reason: "no pool size was measured".to_owned(),
        }),
    }
    for (found, not) in [batch::choices(data, &batch), breaker::choices(&breaker)] {
        choices.extend(found);
        missing.extend(not);
    }
    if run.ended != Ended::Complete {
        let unfinished = |missing: &mut Missing| missing.reason += "; the run did not end";
        missing.iter_mut().for_each(unfinished);
    }
    let by_class = batch::by_class(data, &batch);
    Findings {
        toml: block::toml(run, data, &choices, &missing, &by_class),
        choices,
        missing,
        pool,
        batch,
        breaker,
    }
}

/// `max_connections`.
fn connections(data: &Data, found: &PoolFinding) -> Option<Choice> {
    let chosen = found.size(found.chosen?)?;
    let best = found.best?;
    let interval = chosen.share.low.zip(chosen.share.high);
    let interval =
        interval.map_or_else(String::new, |(low, high)| format!(" [{low:.2}, {high:.2}]"));
    let share = |of: &SizeFinding| of.share.median.unwrap_or(0.0);
    let of_best = if chosen.connections == best {
        "the best".to_owned()
    } else {
        format!("{:.2}{interval} of the best ({best})", share(chosen))
    };
    let callers = data.pool.load.clients.unwrap_or(0);
    let evidence = format!(
        "{:.0} operations a second with {callers} callers (median of {} windows of {} ms), \
         {of_best}; p50 {}, p99 {}; the smallest that reaches 0.9 of the best or \
         cannot be told from it",
        chosen.rate_per_s,
        chosen.rounds,
        data.pool.length_us / 1_000,
        latency(chosen.p50_s),
        latency(chosen.p99_s)
    );
    let said = |of: &SizeFinding| {
        format!(
            "{} do {:.2} of the best, p99 {}",
            of.connections,
            share(of),
            latency(of.p99_s)
        )
    };
    let beside = found.beside(chosen.connections).into_iter().flatten();
    let beside: Vec<String> = beside.map(said).collect();
    let limit = match data.pool.most {
        Some(most) => format!("; the server has room for {most} in all, of every process together"),
        None => String::new(),
    };
    Some(Choice {
        key: "max_connections".to_owned(),
        value: chosen.connections.to_string(),
        evidence,
        if_wrong: format!("{}{limit}", beside.join("; ")),
        close: found.close.iter().map(u32::to_string).collect(),
    })
}
