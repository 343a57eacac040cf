//! What its report says: who comes back, after how long, and with how many attempts.

use super::{Data, Findings, Row as Found, Trial, plot, words::WORDS};
use crate::{
    injections,
    numbers::seconds,
    page::{
        Block, Cell, Column, Measure, Page, Row, Section, SparkGroup, Style, Summary, Table, Text,
        Watched, maybe, operations, sentence, worst,
    },
    run::{ARM_BARE, ARM_CAREFUL, ARM_SEAWALL, Arm, Run},
};

/// The columns after condition and arm.
const MEASURES: [Measure<Found>; 4] = [
    (
        "back after",
        "from when the server took sessions again until goodput was as before: the longest",
        |row| match row.back_s {
            Some(s) if row.back < row.trials => Cell::more_than(&seconds(s)),
            s => maybe(s, seconds).into(),
        },
    ),
    (
        "lost",
        "missing goodput, as seconds of a full outage",
        |row| maybe(row.lost_s, seconds).into(),
    ),
    (
        "tries",
        "how often callers asked, per operation, until 3 s after the fault",
        |row| maybe(row.tries, count).into(),
    ),
    (
        "attempts",
        "statements and connections tried, per good answer; - if none was good",
        |row| maybe(row.attempts_per_good, count).into(),
    ),
];

pub(super) fn page(run: &Run, data: &Data, findings: &Findings) -> Page {
    let planned: usize = run.schedule.iter().map(|entry| entry.arms.len()).sum();
    let plot = plot::goodput(run, data, findings);
    let plot =
        plot.map(|plot| Section::new("goodput", "What callers got", vec![Block::Plot(plot)]));
    let mut numbers = vec![Block::Table(table(run, findings)), note(findings)];
    numbers.extend(unserved(data));
    numbers.extend(injections::skipped(&run.skipped));
    let trials = data.trials.iter();
    let watched: Vec<Watched<'_>> = trials
        .map(|trial| Watched {
            arm: &trial.injection.arm,
            during: trial.injection.fault.clone(),
            operations: &trial.injection.operations,
            rate_per_s: trial.load.rate_per_s,
            from_us: trial.injection.steady_us,
            zero_us: trial.injection.injected_us,
        })
        .collect();
    numbers.extend(worst(run, &watched, ("load", "since the fault")));
    Page {
        title: "Does a service come back that runs close to what its pool can do?".to_owned(),
        finding: match who_comes_back(run, findings) {
            Some(found) => sentence(&found),
            None => "No trial was carried out, so that nothing can be said of who comes back."
                .to_owned(),
        },
        intro: "A service was given nearly as much to do as its pool of connections can do. Its \
                callers try again at once when they are not served. Then its database failed for \
                about a second. This page says whether the service came back by itself, with \
                each of the clients below."
            .to_owned(),
        carried_out: format!("{} of {planned} trials carried out", data.trials.len()),
        lead: vec![Block::Arms(run.arms.clone())],
        summary: Summary {
            name: "NEAR CAPACITY".to_owned(),
            blocks: [Block::Table(table(run, findings)), note(findings)]
                .into_iter()
                .chain(unserved(data))
                .chain(sparks(data))
                .collect(),
            ..Summary::default()
        },
        sections: [Section::claims()]
            .into_iter()
            .chain([Section::new("table", "Who comes back", numbers)])
            .chain(plot)
            .collect(),
        measured: vec![
            Block::text(load(run, data)),
            Block::text(READS),
            Block::Definitions(&WORDS),
        ],
        repeats:
            "The same seed and flags draw the same faults, lengths and turns. The capacity is \
                  measured anew."
                .to_owned(),
        ..Page::default()
    }
}

/// What a reader must know of the numbers.
fn note(findings: &Findings) -> Block {
    let bounded = findings.rows.iter().any(|row| row.back < row.trials);
    let bounded = if bounded {
        "> not back when it was given up, so longer than this. "
    } else {
        ""
    };
    Block::muted(format!(
        "{bounded}Tries are per operation, attempts per good answer, - if there was none"
    ))
}

const READS: &str = "Operations only read, so that no write can be lost: there is no ledger to \
                     check. Each asks for a number of its own, and an answer with another number is \
                     counted as a wrong read.";

/// The goodput of each arm, in the first trial of each condition.
fn sparks(data: &Data) -> Option<Block> {
    let conditions = data.conditions.iter().enumerate();
    let groups = conditions.filter_map(|(i, condition)| {
        let trials: Vec<&Trial> = data.trials.iter().filter(|t| t.condition == i).collect();
        let first = |n: usize, arm: &str| !trials[..n].iter().any(|t| t.injection.arm == arm);
        let shown = trials.iter().enumerate();
        let shown = shown.filter(|(n, trial)| first(*n, &trial.injection.arm));
        let arms = shown.map(|(_, trial)| (&trial.injection, &trial.load));
        injections::around(&condition.name, arms)
    });
    let groups: Vec<SparkGroup> = groups.collect();
    (!groups.is_empty()).then(|| Block::Sparks(injections::goodput(groups)))
}

/// Who could not be put to the test.
fn unserved(data: &Data) -> impl Iterator<Item = Block> {
    data.unserved.iter().map(|unserved| {
        let text = Text::new(Style::Plain).strong(&unserved.condition);
        let reason = &unserved.reason;
        Block::Text(text.then(format!(" was not carried out with all arms: {reason}")))
    })
}

/// How many, to three digits.
fn count(n: f64) -> String {
    match n {
        ..9.995 => format!("{n:.2}"),
        ..99.95 => format!("{n:.1}"),
        _ => format!("{n:.0}"),
    }
}

/// A row for each condition and arm.
fn table(run: &Run, findings: &Findings) -> Table {
    let names = [Column::head("load").once(), Column::text("arm")];
    let measures = MEASURES.map(|(name, about, _)| Column::number(name).about(about));
    let several = findings.rows.iter().any(|row| row.trials > 1);
    let share = Column::number("back").about("trials in which it came back");
    let rows = findings.rows.iter().enumerate().map(|(i, row)| {
        let names = [row.condition.as_str(), row.arm.as_str()].map(Cell::from);
        let share = several.then(|| format!("{} of {}", row.back, row.trials).into());
        let cells = MEASURES.map(|(.., cell)| cell(row));
        Row {
            first: i == 0 || findings.rows[i - 1].condition != row.condition,
            cells: names.into_iter().chain(share).chain(cells).collect(),
            ..Row::default()
        }
    });
    let empty = if run.skipped.is_empty() {
        "No trial was carried out."
    } else {
        "No trial could be carried out here."
    };
    Table {
        columns: names
            .into_iter()
            .chain(several.then_some(share))
            .chain(measures)
            .collect(),
        rows: rows.collect(),
        empty,
        ..Table::default()
    }
}

/// `seawall comes back in 6 of 6 conditions, at once; bare comes back in none of 6 conditions`, the arm
/// that we would ship first, then the careful pool, then the bare one.
pub(super) fn who_comes_back(run: &Run, findings: &Findings) -> Option<String> {
    let mut arms: Vec<&Arm> = run.arms.iter().collect();
    let order = [ARM_SEAWALL, ARM_CAREFUL, ARM_BARE];
    arms.sort_by_key(|arm| {
        order
            .iter()
            .position(|of| *of == arm.name)
            .unwrap_or(order.len())
    });
    // Variants of ours stand in the table.
    if arms.iter().any(|arm| arm.name == ARM_SEAWALL) {
        arms.retain(|arm| order.contains(&arm.name.as_str()));
    }
    let clauses = arms.into_iter().filter_map(|arm| {
        let of_arm: Vec<&Found> = findings.rows.iter().filter(|r| r.arm == arm.name).collect();
        let back: Vec<&&Found> = of_arm.iter().filter(|r| r.back == r.trials).collect();
        let longest = back.iter().filter_map(|r| r.back_s).reduce(f64::max);
        let (n, all) = (back.len(), of_arm.len());
        if all == 0 {
            return None;
        }
        let after = match longest {
            None => {
                return Some(format!(
                    "{} comes back in none of {all} conditions",
                    arm.name
                ));
            }
            Some(0.0) => "at once".to_owned(),
            Some(s) => format!("after {} at most", seconds(s)),
        };
        Some(format!(
            "{} comes back in {n} of {all} conditions, {after}",
            arm.name
        ))
    });
    let clauses: Vec<String> = clauses.collect();
    (!clauses.is_empty()).then(|| clauses.join("; "))
}

/// What the arms were given to do.
fn load(run: &Run, data: &Data) -> String {
    let what = match operations(run) {
        Some(own) => format!("Operations are {own}."),
        None => format!(
            "An operation holds its session for {} ms.",
            data.hold_us / 1000
        ),
    };
    let ms = |us: u64| us / 1_000;
    let capacity = data.capacity.as_ref();
    let part = capacity.map_or(1.0, |c| c.open_share);
    let part = if part < 1.0 {
        format!(
            " ({:.0} % of what callers get that wait for their answers: arrivals cost the runner more)",
            part * 100.0
        )
    } else {
        String::new()
    };
    let capacity = capacity.and_then(|c| Some((c.connections, c.per_s()?)));
    let capacity = capacity.map_or_else(
        || "The capacity was not measured.".to_owned(),
        |(connections, per_s)| {
            format!(
                "A pool has {connections} connections, and did {per_s:.1} operations per second \
                 when it was asked for as many as it can do{part}."
            )
        },
    );
    let together = run.schedule.iter().any(|entry| entry.arms.len() > 1);
    let together = if together {
        " Arms that cannot get in each other's way were under load side by side, each with \
         sessions of its own; a pool that may make connections without a bound had the server \
         to itself."
    } else {
        ""
    };
    format!(
        "{what} {capacity} It is good if it is answered within \
         {} ms. Callers hang up after {} ms. After the fault each arm was watched until it was back, \
         for {} at most, and for {} where nothing is claimed of it.{together}",
        ms(data.deadline_us),
        ms(data.patience_us),
        seconds(data.horizon_us as f64 / 1e6),
        seconds(data.others_us as f64 / 1e6),
    )
}
