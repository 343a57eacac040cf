//! What its report says: who serves how much, how fast, and at what cost.

use super::{ArmFinding, Data, Findings, QUANTILES, plot};
use crate::{
    numbers::{latency, percent, seconds},
    page::{
        Block, Cell, Column, Definition, Page, Row, Section, Summary, Table, Watched, maybe,
        operations, worst,
    },
    run::{ARM_BARE, ARM_CAREFUL, ARM_SEAWALL, Run},
};

const WORDS: [Definition; 4] = [
    Definition {
        word: "Stretch",
        means: "One arm under load, with the server to itself, after a warm-up. The arms take turns, \
                in an order that is drawn anew for each round.",
    },
    Definition {
        word: "Latency",
        means: "From the scheduled arrival to the answer, of operations that were answered without \
                error. Operations arrive evenly at a fixed rate, whether or not earlier ones were \
                answered, so a stall counts in full for everyone who arrived during it.",
    },
    Definition {
        word: "Goodput",
        means: "Operations that were answered without error within the deadline, per second.",
    },
    Definition {
        word: "Server",
        means: "What pg_stat_database counted over the stretches, and the sessions of the load at \
                the end of one, as pg_stat_activity shows them.",
    },
];

pub(super) fn page(run: &Run, data: &Data, findings: &Findings) -> Page {
    let planned = run.arms.len() * usize::try_from(data.rounds).unwrap_or(usize::MAX);
    let plot = plot::latency(findings);
    let plot = plot.map(|plot| Section::new("latency", "Latency", vec![Block::Plot(plot)]));
    let stretches = data.stretches.iter().enumerate();
    let watched: Vec<Watched<'_>> = stretches
        .map(|(i, stretch)| Watched {
            arm: &stretch.arm,
            during: (i + 1).to_string(),
            operations: &stretch.operations,
            rate_per_s: data.load.rate_per_s,
            from_us: stretch.steady_us,
            zero_us: 0,
        })
        .collect();
    let served = vec![Block::Table(latencies(findings))];
    let slowest = worst(run, &watched, ("turn", "since it began"));
    let served: Vec<Block> = served.into_iter().chain(slowest).collect();
    Page {
        title: "What each client does while nothing is wrong".to_owned(),
        finding: finding(findings),
        intro:
            "A service was under a steady load, and nothing was done to its database. This page \
                says what its callers saw of each client, and what that cost the pool and the \
                server."
                .to_owned(),
        carried_out: format!(
            "{} of {planned} stretches carried out",
            data.stretches.len()
        ),
        lead: vec![Block::Arms(run.arms.clone())],
        summary: Summary {
            name: "STEADY".to_owned(),
            blocks: vec![
                Block::Table(latencies(findings)),
                Block::Table(costs(findings)),
            ],
            ..Summary::default()
        },
        sections: [Section::claims()]
            .into_iter()
            .chain(plot)
            .chain([
                Section::new("table", "Served", served),
                Section::new("costs", "What it cost", vec![Block::Table(costs(findings))]),
                counters(findings),
            ])
            .chain(scripts(run, findings))
            .collect(),
        measured: vec![Block::text(load(run, data)), Block::Definitions(&WORDS)],
        repeats: "The same seed and flags draw the same turns.".to_owned(),
        ..Page::default()
    }
}

/// What share of operations each arm answers in time, and how fast: ours first.
fn finding(findings: &Findings) -> String {
    let order = [ARM_SEAWALL, ARM_CAREFUL, ARM_BARE];
    let measured = findings.arms.iter().filter(|found| found.operations > 0);
    let mut arms: Vec<&ArmFinding> = measured.collect();
    let place = |arm: &str| order.iter().position(|name| *name == arm);
    arms.sort_by_key(|found| place(&found.arm).unwrap_or(order.len()));
    let p99 = QUANTILES.iter().position(|q| *q == 0.99);
    let said = arms.iter().map(|found| {
        let share = percent(found.good as f64 / found.operations as f64);
        let p99 = p99.and_then(|at| found.latency_s.get(at).copied());
        let p99 = p99.map_or_else(
            || "nothing was answered without error".to_owned(),
            |s| format!("p99 {}", latency(s)),
        );
        format!("{} {share} ({p99})", found.arm)
    });
    let said: Vec<String> = said.collect();
    if said.is_empty() {
        return "No arm was measured, so that nothing can be said of any.".to_owned();
    }
    format!(
        "While nothing is wrong, answered well and in time: {}.",
        said.join(", ")
    )
}

fn table(columns: Vec<Column>, rows: Vec<Row>) -> Table {
    Table {
        columns,
        rows,
        empty: "Nothing was measured.",
        ..Table::default()
    }
}

fn latencies(findings: &Findings) -> Table {
    let mut columns = vec![
        Column::head("arm"),
        Column::number("goodput").about("answered without error within the deadline, per second"),
        Column::number("failed").about("operations that were not answered without error"),
    ];
    columns
        .extend(QUANTILES.map(|q| Column::number(name(q)).about("latency, of what was answered")));
    let rows = findings.arms.iter().map(|found| {
        let failed: u64 = found.failed.values().sum();
        let mut cells: Vec<Cell> = vec![
            found.arm.as_str().into(),
            maybe(found.goodput_per_s, |g| format!("{g:.1}/s")).into(),
            failed.to_string().into(),
        ];
        let all = (0..QUANTILES.len()).map(|i| found.latency_s.get(i).copied());
        cells.extend(all.map(|s| Cell::from(maybe(s, latency))));
        Row::first(cells)
    });
    table(columns, rows.collect())
}

/// `p99.9`, `max`.
pub(super) fn name(quantile: f64) -> String {
    if quantile >= 1.0 {
        return "max".to_owned();
    }
    format!("p{}", (quantile * 1e4).round() / 1e2)
}

fn costs(findings: &Findings) -> Table {
    let columns = vec![
        Column::head("arm"),
        Column::number("statements").about("handed to a connection, per operation"),
        Column::number("connects").about("connections that were tried"),
        Column::number("sessions").about("of the load on the server, at the end of a stretch"),
        Column::number("commits").about("as the server counts them"),
        Column::number("rollbacks").about("as the server counts them"),
        Column::number("hits").about("blocks that the server found in its buffers"),
        Column::number("reads").about("blocks that it had to read"),
    ];
    let rows = findings.arms.iter().map(|found| {
        let server = |of: fn(&super::ServerCounts) -> u64| {
            maybe(found.server.as_ref(), |counts| of(counts).to_string()).into()
        };
        Row::first(vec![
            found.arm.as_str().into(),
            maybe(found.statements, |n| format!("{n:.2}")).into(),
            found.connects.to_string().into(),
            server(|counts| counts.sessions),
            server(|counts| counts.commits),
            server(|counts| counts.rollbacks),
            server(|counts| counts.blocks_hit),
            server(|counts| counts.blocks_read),
        ])
    });
    table(columns, rows.collect())
}

/// Each of the user's own scripts by itself, where there are several.
fn scripts(run: &Run, findings: &Findings) -> Option<Section> {
    let columns = vec![
        Column::head("arm").once(),
        Column::text("script"),
        Column::number("runs").about("answered without error, after the warm-up"),
        Column::number("failed").about("runs that were not answered without error"),
        Column::number("p50").about("latency, of what was answered"),
        Column::number("p99").about("latency, of what was answered"),
    ];
    let rows = findings.arms.iter().flat_map(|found| {
        let of_arm = found.scripts.iter().enumerate();
        of_arm.map(move |(i, script)| Row {
            first: i == 0,
            cells: [
                found.arm.clone(),
                script.script.clone(),
                script.ok.to_string(),
                script.failed.to_string(),
                maybe(script.p50_s, latency),
                maybe(script.p99_s, latency),
            ]
            .map(Cell::from)
            .to_vec(),
            ..Row::default()
        })
    });
    let table = table(columns, rows.collect());
    (run.scripts.len() > 1).then(|| {
        Section::new(
            "by-script",
            "Each script by itself",
            vec![Block::Table(table)],
        )
    })
}

/// What the pools counted themselves: only the engine's does.
fn counters(findings: &Findings) -> Section {
    let of_arm = |found: &ArmFinding| {
        let counts = found.pool.iter();
        let counted: Vec<Row> = counts
            .map(|(name, n)| Row::first(vec![name.as_str().into(), n.to_string().into()]))
            .collect();
        (!counted.is_empty()).then(|| {
            let columns = vec![Column::head("counter"), Column::number("count")];
            let rows = table(columns, counted);
            let summary = format!("What the pool of {} counted", found.arm);
            Block::Details(summary, vec![Block::Table(rows)])
        })
    };
    let blocks = findings.arms.iter().filter_map(of_arm).collect();
    Section::new("counters", "What the pools counted", blocks)
}

fn load(run: &Run, data: &Data) -> String {
    let load = &data.load;
    let what = match operations(run) {
        Some(own) => own,
        None => format!("{:.0} % of them writes", load.write_share * 100.0),
    };
    let arriving = match load.clients {
        Some(1) => "One caller, which asks again as soon as it is answered".to_owned(),
        Some(n) => format!("{n} callers, each of which asks again as soon as it is answered"),
        None => format!(
            "{} operations per second, at most {} under way at once",
            load.rate_per_s, load.max_in_flight
        ),
    };
    format!(
        "{arriving}, {what}; each is to be answered within {} ms. Each arm had {} turns of {}.",
        load.deadline_us / 1000,
        data.rounds,
        seconds(data.length_us as f64 / 1e6),
    )
}
