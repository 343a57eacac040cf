//! What was found: where metrics and events differ, and what observing costs.

use serde::{Deserialize, Serialize};

use super::{Data, Exam, MemoryOf, Observed, Quantile, Window};
use crate::stats::Ratio;

/// A histogram has two significant digits: 1 in 100.
const PRECISION: f64 = 0.01;
/// The time that passes between the clocks of the caller and of the engine, in microseconds.
const BETWEEN_US: f64 = 400.0;

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// Each fault.
    pub exams: Vec<ExamFinding>,
    /// The histogram's quantiles beside the exact ones.
    pub quantiles: Vec<QuantileFinding>,
    /// What each part of observing costs.
    pub prices: Vec<Price>,
    /// What histories take when they are full.
    pub memory: Vec<MemoryOf>,
}

/// What was found of a fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExamFinding {
    /// Its name.
    pub fault: String,
    /// Events that were counted twice.
    pub events: u64,
    /// What was compared.
    pub compared: usize,
    /// Where the two differ, in words.
    pub differ: Vec<String>,
    /// How often the metrics were scraped meanwhile.
    pub scrapes: u64,
    /// What contradicted itself in a scrape.
    pub contradictions: Vec<String>,
    /// Sessions at the end, if all who know said the same.
    pub sessions: Option<u64>,
}

/// A quantile, and whether the histogram has it right.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct QuantileFinding {
    /// What was recorded.
    #[serde(flatten)]
    pub quantile: Quantile,
    /// Whether it is as close as the histogram is to be.
    pub close: bool,
}

/// What a part of observing costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Price {
    /// The part.
    pub of: Observed,
    /// Queries per second with it, of those without.
    pub throughput: Ratio,
    /// Processor time per query with it, of that without.
    pub cpu: Ratio,
}

/// Finds it.
#[must_use]
pub fn find(data: &Data) -> Findings {
    let close = |q: &Quantile| {
        let (exact, histogram) = (q.exact_us as f64, q.histogram_us as f64);
        // The engine's clock runs within the caller's.
        let most = exact * (1.0 + PRECISION) + 1.0;
        let least = exact * (1.0 - PRECISION) - BETWEEN_US;
        (least..=most).contains(&histogram)
    };
    Findings {
        exams: data.exams.iter().map(exam).collect(),
        quantiles: data
            .quantiles
            .iter()
            .map(|quantile| QuantileFinding {
                quantile: *quantile,
                close: close(quantile),
            })
            .collect(),
        prices: Observed::PARTS
            .iter()
            .filter_map(|part| price(&data.windows, *part))
            .collect(),
        memory: data.memory.clone(),
    }
}

fn exam(exam: &Exam) -> ExamFinding {
    let mut differ: Vec<String> = exam
        .compared
        .iter()
        .filter(|compared| compared.happened != compared.counted)
        .map(|compared| {
            let (what, happened, counted) = (&compared.what, compared.happened, compared.counted);
            format!("{what}: {happened} happened, {counted} counted")
        })
        .collect();
    for sessions in exam.sessions.iter().filter(|sessions| !sessions.agree()) {
        let (server, pool, counted) = (sessions.server, sessions.pool, sessions.counted);
        let text =
            format!("sessions: {server} on the server, {pool} in the pool, {counted} counted");
        differ.push(text);
    }
    if !exam.callers_ended {
        differ.push("a caller had no answer in time".to_owned());
    }
    ExamFinding {
        fault: exam.fault.clone(),
        events: exam.compared.iter().map(|compared| compared.happened).sum(),
        compared: exam.compared.len() + exam.sessions.len(),
        sessions: exam
            .sessions
            .last()
            .filter(|sessions| sessions.agree())
            .map(|sessions| sessions.server),
        differ,
        scrapes: exam.scrapes,
        contradictions: exam.contradictions.clone(),
    }
}

fn price(windows: &[Window], of: Observed) -> Option<Price> {
    let of_part: Vec<&Window> = windows.iter().filter(|window| window.of == of).collect();
    let pairs = of_part.iter().filter(|window| window.with == of);
    let pairs = pairs.filter_map(|with| {
        let without = of_part
            .iter()
            .find(|window| window.pair == with.pair && window.with == Observed::Nothing)?;
        let rate = |w: &Window| w.queries as f64 / w.took_us.max(1) as f64;
        let cpu = |w: &Window| w.cpu_us.max(1) as f64 / w.queries.max(1) as f64;
        Some((rate(with) / rate(without), cpu(with) / cpu(without)))
    });
    let (throughput, cpu): (Vec<f64>, Vec<f64>) = pairs.unzip();
    (!throughput.is_empty()).then(|| Price {
        of,
        throughput: Ratio::of(&throughput),
        cpu: Ratio::of(&cpu),
    })
}
