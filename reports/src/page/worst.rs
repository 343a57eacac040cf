//! The slowest operations one by one: where an average says that something was wrong, these
//! say what.

use crate::{
    numbers::latency,
    run::{Answer, Kind, Operations, Outcome, Run},
};

use super::{Block, Cell, Column, Row, Table};

/// Most operations of an arm that are told of each sort.
const MOST: usize = 5;

/// The load that an arm was under once.
pub(crate) struct Watched<'a> {
    pub(crate) arm: &'a str,
    /// During what: the name of a fault, or of a turn.
    pub(crate) during: String,
    pub(crate) operations: &'a Operations,
    pub(crate) rate_per_s: u32,
    /// What is earlier is not told.
    pub(crate) from_us: u64,
    /// What is zero.
    pub(crate) zero_us: u64,
}

/// Of each arm the slowest that were answered, and the slowest that were not, worst first.
/// `during` is what the loads are told apart by, `since` what is zero, both as the names of
/// columns. `None` if there was no operation at all.
pub(crate) fn worst(
    run: &Run,
    watched: &[Watched<'_>],
    (during, since): (&str, &str),
) -> Option<Block> {
    let columns = vec![
        Column::head("arm").once(),
        Column::text("outcome"),
        Column::text("operation"),
        Column::number("latency").about("from when it was due to its answer, or until given up"),
        Column::text(during),
        Column::number(since).about("when it was due"),
    ];
    let mut rows = Vec::new();
    for arm in &run.arms {
        let loads = || watched.iter().filter(|load| load.arm == arm.name);
        let answered = slowest(loads(), |outcome| outcome == Outcome::Ok);
        let not = slowest(loads(), |outcome| {
            !matches!(outcome, Outcome::Ok | Outcome::NotSent)
        });
        let all = not.into_iter().chain(answered).enumerate();
        rows.extend(all.map(|(i, (load, answer))| Row {
            first: i == 0,
            cells: row(run, load, &answer),
            ..Row::default()
        }));
    }
    (!rows.is_empty()).then(|| {
        let table = Table {
            columns,
            rows,
            ..Table::default()
        };
        let summary = format!(
            "The slowest operations of each arm: at most {MOST} that were not answered well, and \
             {MOST} that were"
        );
        Block::Details(summary, vec![Block::Table(table)])
    })
}

/// The slowest of one sort. However many operations there are, only these are kept.
fn slowest<'a, 'b: 'a>(
    loads: impl Iterator<Item = &'a Watched<'b>>,
    wanted: impl Fn(Outcome) -> bool,
) -> Vec<(&'a Watched<'b>, Answer)> {
    let mut kept: Vec<(&Watched<'_>, Answer)> = Vec::new();
    let took_us = |answer: &Answer| answer.end_us - answer.due_us;
    for load in loads {
        let answers = load.operations.answers(load.rate_per_s);
        let answers = answers.filter(|a| a.due_us >= load.from_us && wanted(a.outcome));
        for answer in answers {
            let place = kept.partition_point(|(_, other)| took_us(other) >= took_us(&answer));
            if place < MOST {
                kept.truncate(MOST - 1);
                kept.insert(place, (load, answer));
            }
        }
    }
    kept
}

fn row(run: &Run, load: &Watched<'_>, answer: &Answer) -> Vec<Cell> {
    let took_s = (answer.end_us - answer.due_us) as f64 / 1e6;
    let since_s = (answer.due_us as f64 - load.zero_us as f64) / 1e6;
    [
        load.arm.to_owned(),
        answer.outcome.name().to_owned(),
        operation(run, answer.kind),
        latency(took_s),
        load.during.clone(),
        format!("{since_s:.2} s"),
    ]
    .map(Cell::from)
    .to_vec()
}

/// What an operation was, in a word or two.
fn operation(run: &Run, kind: Kind) -> String {
    let word = match kind {
        Kind::Read => "read",
        Kind::Write => "write",
        Kind::Transaction => "transaction",
        Kind::Rollback => "rollback",
        Kind::Savepoint => "savepoint",
        Kind::HotRow => "update of the hot row",
        Kind::Mistake => "mistake of the caller's",
        Kind::Hold => "held session",
        Kind::Script(place) => match run.scripts.get(usize::from(place)) {
            Some(script) => &script.name,
            None => "script",
        },
    };
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic;

    #[test]
    fn the_slowest_of_each_sort_are_told_worst_first_and_never_more() {
        let run = synthetic::record(7, 1, &["bare", "seawall"]).run;
        let n = 1_000_u64;
        let operations = Operations {
            kinds: "r".repeat(1_000),
            outcomes: "oftnu".repeat(200),
            latencies_us: (0..n).map(|i| (i * 7_919) % n * 1_000).collect(),
            lags_us: vec![0; 1_000],
            due_us: Vec::new(),
        };
        let watched = [Watched {
            arm: "seawall",
            during: "crash".to_owned(),
            operations: &operations,
            rate_per_s: 1_000,
            from_us: 500_000,
            zero_us: 750_000,
        }];
        let told = worst(&run, &watched, ("fault", "since the fault")).unwrap();
        let Block::Details(_, blocks) = told else {
            panic!("no details");
        };
        let Block::Table(table) = &blocks[0] else {
            panic!("no table");
        };
        assert_eq!(table.rows.len(), 2 * MOST);
        let column = |at: usize| -> Vec<&str> {
            let rows = table.rows.iter();
            rows.map(|row| &*row.cells[at].text).collect()
        };
        assert!(column(0).iter().all(|arm| *arm == "seawall"));
        assert!(column(1)[..MOST].iter().all(|outcome| *outcome != "ok"));
        assert!(column(1)[MOST..].iter().all(|outcome| *outcome == "ok"));
        // All of it follows from the operations themselves.
        let expected = |ok: bool| {
            let all = (500..1_000_usize).filter(|i| (i % 5 == 0) == ok && i % 5 != 3);
            let mut all: Vec<u64> = all.map(|i| operations.latencies_us[i]).collect();
            all.sort_unstable_by(|a, b| b.cmp(a));
            all.truncate(MOST);
            all.into_iter()
                .map(|us| latency(us as f64 / 1e6))
                .collect::<Vec<_>>()
        };
        let all = [expected(false), expected(true)].concat();
        assert_eq!(column(3), all);
        assert!(column(5).iter().all(|at| at.ends_with(" s")));
        assert!(worst(&run, &[], ("fault", "at")).is_none());
    }
}
