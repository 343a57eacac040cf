//! What its report says: where metrics and events differ, and what observing costs.

use super::{Data, Findings, Observed, plot};
use crate::{
    numbers::thousands,
    page::{Block, Cell, Column, Definition, Page, Row, Section, Summary, Table, maybe},
    run::Run,
    stats::Ratio,
};

const WORDS: [Definition; 4] = [
    Definition {
        word: "Event",
        means: "Something that was counted twice: by the metrics, and by those who were there. \
                Callers know what became of each of their queries; the transport knows how often \
                a connection was tried; whoever follows the circuit breaker knows its changes; \
                the server knows its sessions.",
    },
    Definition {
        word: "Scrape",
        means: "The whole exposition, read every 50 ms while the fault lasts. It must add up in \
                itself (all results are all queries, the last bucket is the count), and no \
                counter may go back.",
    },
    Definition {
        word: "Price",
        means: "Two callers ask again as soon as they are answered, with a part of observing on \
                and off, in pairs of windows one behind the other in random order. Given is the \
                median of the pairs, with its exact 95 % interval.",
    },
    Definition {
        word: "Memory",
        means: "What a history takes when it is full, of a pool with as many queries a second as \
                said: a slot for each second of the retention, and for each quarter of a second \
                of the last five minutes.",
    },
];

pub(super) fn page(run: &Run, data: &Data, findings: &Findings) -> Page {
    let planned = run.schedule.len() + 1;
    let plot = plot::prices(findings);
    let plot = plot.map(|plot| Section::new("picture", "Price", vec![Block::Plot(plot)]));
    Page {
        title: "Whether the metrics say what happened".to_owned(),
        finding: finding(findings),
        intro: "A pool was under load while everything was done to its database that can be done. \
                This page compares what its metrics say with what happened, event for event, and \
                says what it costs to know."
            .to_owned(),
        carried_out: format!("{} of {planned} faults carried out", data.exams.len()),
        lead: vec![Block::Arms(run.arms.clone())],
        summary: Summary {
            name: "OBSERVABILITY".to_owned(),
            blocks: vec![
                Block::Table(exams(findings)),
                Block::Table(prices(findings)),
                Block::Table(memory(findings)),
            ],
            ..Summary::default()
        },
        sections: [Section::claims()]
            .into_iter()
            .chain([Section::new(
                "faults",
                "Metrics and events",
                vec![Block::Table(exams(findings))],
            )])
            .chain([Section::new(
                "quantiles",
                "Quantiles",
                vec![Block::Table(quantiles(findings))],
            )])
            .chain(plot)
            .chain([
                Section::new(
                    "price",
                    "What it costs",
                    vec![Block::Table(prices(findings))],
                ),
                Section::new(
                    "memory",
                    "What a history takes",
                    vec![Block::Table(memory(findings))],
                ),
                events(data),
            ])
            .collect(),
        measured: vec![
            Block::text(format!(
                "{} callers did all that can be done with a pool: queries, writes that change \
                 nothing, mistakes, transactions, pipelines, and queries that they gave up. The \
                 histories that were weighed are of {} queries a second.",
                data.callers, data.busy_per_s
            )),
            Block::Definitions(&WORDS),
        ],
        repeats: "The same seed and flags draw the same faults and callers.".to_owned(),
        ..Page::default()
    }
}

/// Whether the metrics agree with what happened, and what all of observing costs.
pub(super) fn finding(findings: &Findings) -> String {
    let exams = &findings.exams;
    let events: u64 = exams.iter().map(|exam| exam.events).sum();
    let differ: usize = exams.iter().map(|exam| exam.differ.len()).sum();
    let compared: usize = exams.iter().map(|exam| exam.compared).sum();
    let against: usize = exams.iter().map(|exam| exam.contradictions.len()).sum();
    let faults = exams.len();
    let mut said = match (faults, differ) {
        (0, _) => "No fault was carried out, so that nothing can be said of the metrics".to_owned(),
        (_, 0) => format!(
            "The metrics agree with what happened, event for event: {} events in {faults} \
             stretches, with and without a fault",
            thousands(events)
        ),
        (_, differ) => {
            format!("The metrics differ from what happened in {differ} of {compared} comparisons")
        }
    };
    match against {
        0 => {}
        1 => said += ", and contradicted themselves in one scrape",
        n => said += &format!(", and contradicted themselves {n} times"),
    }
    let all = findings
        .prices
        .iter()
        .find(|price| price.of == Observed::Everything);
    let price = all.and_then(|price| {
        let (throughput, cpu) = (price.throughput.median?, price.cpu.median?);
        let interval = |of: &Ratio| {
            let ends = of.low.zip(of.high);
            ends.map_or_else(String::new, |(low, high)| format!(" [{low:.2}, {high:.2}]"))
        };
        Some(format!(
            "with everything that can be observed a pool does {throughput:.2} times the \
             queries{}, at {cpu:.2} times the processor time each{}",
            interval(&price.throughput),
            interval(&price.cpu)
        ))
    });
    let price = price.unwrap_or_else(|| "what observing costs was not measured".to_owned());
    format!("{said}; {price}.")
}

fn table(columns: Vec<Column>, rows: Vec<Row>) -> Table {
    Table {
        columns,
        rows,
        empty: "Nothing was measured.",
        ..Table::default()
    }
}

fn exams(findings: &Findings) -> Table {
    let columns = vec![
        Column::head("fault"),
        Column::number("events").about("that were counted twice"),
        Column::number("discrepancies").about("between the two counts"),
        Column::number("sessions").about("at the end, if server, pool and metrics agree"),
        Column::number("scrapes").about("meanwhile"),
        Column::number("contradictions").about("within them, or with earlier ones"),
    ];
    let rows = findings.exams.iter().map(|exam| {
        Row::first(vec![
            exam.fault.as_str().into(),
            exam.events.to_string().into(),
            exam.differ.len().to_string().into(),
            maybe(exam.sessions, |n| n.to_string()).into(),
            exam.scrapes.to_string().into(),
            exam.contradictions.len().to_string().into(),
        ])
    });
    table(columns, rows.collect())
}

fn quantiles(findings: &Findings) -> Table {
    let columns = vec![
        Column::head("quantile"),
        Column::number("exact").about("of the times that the caller took, by nearest rank"),
        Column::number("histogram").about("of the metrics"),
    ];
    let us = |us: u64| Cell::from(format!("{:.2} ms", us as f64 / 1e3));
    let rows = findings.quantiles.iter().map(|found| {
        let q = found.quantile;
        Row::first(vec![
            format!("p{:.0}", q.share * 100.0).into(),
            us(q.exact_us),
            us(q.histogram_us),
        ])
    });
    table(columns, rows.collect())
}

fn prices(findings: &Findings) -> Table {
    let columns = vec![
        Column::head("observed"),
        Column::number("throughput").about("with it, of that without"),
        Column::number("CPU").about("per query with it, of that without"),
        Column::number("pairs"),
    ];
    let ratio = |ratio: &Ratio| {
        let end = |end: Option<f64>| maybe(end, |end| format!("{end:.3}"));
        let median = maybe(ratio.median, |median| format!("{median:.3}"));
        Cell::from(format!(
            "{median} [{}, {}]",
            end(ratio.low),
            end(ratio.high)
        ))
    };
    let rows = findings.prices.iter().map(|price| {
        Row::first(vec![
            price.of.name().into(),
            ratio(&price.throughput),
            ratio(&price.cpu),
            price.throughput.n().to_string().into(),
        ])
    });
    table(columns, rows.collect())
}

fn memory(findings: &Findings) -> Table {
    let columns = vec![
        Column::head("retention"),
        Column::number("slots"),
        Column::number("memory").about("when it is full"),
        Column::number("at most").about("whatever the times are"),
    ];
    let mb = |bytes: u64| Cell::from(format!("{:.1} MB", bytes as f64 / 1e6));
    let rows = findings.memory.iter().map(|of| {
        let name = match of.retention_minutes {
            0 => "off".to_owned(),
            minutes => format!("{minutes} min"),
        };
        Row::first(vec![
            name.into(),
            of.slots.to_string().into(),
            mb(of.bytes),
            mb(of.bytes_most),
        ])
    });
    table(columns, rows.collect())
}

/// All that was compared, fault by fault.
fn events(data: &Data) -> Section {
    let columns = || {
        vec![
            Column::head("event"),
            Column::number("happened"),
            Column::number("counted"),
        ]
    };
    let blocks = data.exams.iter().map(|exam| {
        let some = exam.compared.iter().filter(|c| c.happened + c.counted > 0);
        let rows = some.map(|compared| {
            Row::first(vec![
                compared.what.as_str().into(),
                compared.happened.to_string().into(),
                compared.counted.to_string().into(),
            ])
        });
        let rows = table(columns(), rows.collect());
        Block::Details(exam.fault.clone(), vec![Block::Table(rows)])
    });
    Section::new("events", "Event for event", blocks.collect())
}
