//! The verdict in one sentence, and where and when it was found.

use crate::{
    Verdict,
    claim::{Claim, Decision, Source},
    numbers::thousands,
    page::Headline,
    run::{Ended, Run, UserTable},
    verdict::exit,
};

/// What the run came to. `done` says how much of it was carried out.
pub(super) fn headline(verdict: &Verdict, done: &str) -> Headline {
    let ended = match &verdict.ended {
        Ended::Complete => None,
        Ended::Interrupted => Some(format!("The run was interrupted: {done}")),
        Ended::NoSteadyState { reason } => Some(format!(
            "The load was not served well enough to inject a fault: {reason}; {done}"
        )),
        Ended::Failed { reason } => Some(format!("The run failed: {reason}; {done}")),
    };
    let gating: Vec<&Claim> = verdict.claims.iter().filter(|c| c.gating).collect();
    let mut arms: Vec<&str> = gating.iter().map(|c| c.arm.as_str()).collect();
    arms.dedup();
    let of = |decision| gating.iter().filter(move |c| c.is(decision));
    let list = |decision| {
        of(decision)
            .map(|c| match c.source {
                // Whoever asked for it knows it by what they typed.
                Source::User => c.says.clone(),
                _ => format!("{} {}", c.arm, c.id),
            })
            .collect::<Vec<_>>()
            .join(", ")
    };
    let refuted = || {
        format!(
            "{} of {} claims refuted: {}",
            of(Decision::Refuted).count(),
            gating.len(),
            list(Decision::Refuted)
        )
    };
    let (mood, sentence) = match (ended, verdict.exit_code) {
        (Some(ended), exit::REFUTED | exit::DATA_LOST) => {
            (Decision::Refuted, format!("{}. {ended}", refuted()))
        }
        (Some(ended), _) => (Decision::Inconclusive, ended),
        (None, exit::HOLDS) => (
            Decision::Holds,
            match gating.len() {
                1 => format!("The claim about {} holds", arms.join(" and ")),
                n => format!("All {n} claims about {} hold", arms.join(" and ")),
            },
        ),
        (None, exit::DATA_LOST) => (
            Decision::Refuted,
            format!("Data were lost, duplicated or made up. {}", refuted()),
        ),
        (None, exit::REFUTED) => (Decision::Refuted, refuted()),
        _ if gating.is_empty() => (
            Decision::Inconclusive,
            "Nothing was claimed of the arms of this run".to_owned(),
        ),
        _ => (
            Decision::Inconclusive,
            format!(
                "{} of {} claims inconclusive: {}",
                of(Decision::Inconclusive).count(),
                gating.len(),
                list(Decision::Inconclusive)
            ),
        ),
    };
    Headline { mood, sentence }
}

/// Most tables whose rows are told one by one.
const TOLD: usize = 5;

/// Whether the user's own tables are as they were, if the run was on a server of theirs:
/// `the 2 tables of the user's database were the same before and after: 60 000, 5 rows`.
pub(super) fn tables(run: &Run) -> Option<String> {
    if run.tables.is_empty() {
        return None;
    }
    let (mut same, mut changed, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for table in &run.tables {
        match (&table.before, &table.after) {
            (Some(before), Some(after)) if before == after => same.push(before.rows),
            (Some(before), Some(after)) => {
                let (before, after) = (thousands(before.rows), thousands(after.rows));
                changed.push(format!("{} ({before} rows, then {after})", table.name));
            }
            _ => unknown.push(table),
        }
    }
    let mut parts = Vec::new();
    let count = |n: usize| match n {
        1 => "the table".to_owned(),
        n => format!("the {n} tables"),
    };
    if !same.is_empty() {
        let were = if same.len() == 1 { "was" } else { "were" };
        let rows = match same.len() {
            ..=TOLD => {
                let counts: Vec<String> = same.iter().map(|n| thousands(*n)).collect();
                format!("{} rows", counts.join(", "))
            }
            _ => format!("{} rows in all", thousands(same.iter().sum())),
        };
        let of = if changed.is_empty() && unknown.is_empty() {
            count(same.len())
        } else {
            format!("{} of the {} tables", same.len(), run.tables.len())
        };
        parts.push(format!(
            "{of} of the user's database {were} the same before and after: {rows}"
        ));
    }
    if !changed.is_empty() {
        parts.push(format!("changed: {}", changed.join(", ")));
    }
    if !unknown.is_empty() {
        let names: Vec<&str> = unknown
            .iter()
            .map(|table: &&UserTable| &*table.name)
            .collect();
        let names = match names.len() {
            ..=TOLD => names.join(", "),
            n => format!("{n} tables"),
        };
        parts.push(format!(
            "not compared, since not read both before and after within 30 s each: {names}"
        ));
    }
    Some(parts.join("; "))
}

/// What was run, how long, with which seed, and when: `quick, seed 7, 2026-01-02T03:04:05Z`
/// behind the command.
pub(super) fn run(run: &Run) -> String {
    format!(
        "{}, {}, seed {}, {}",
        run.command, run.size, run.seed, run.started_utc
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{run::Content, synthetic};

    fn table(name: &str, rows: [Option<u64>; 2]) -> UserTable {
        let [before, after] = rows.map(|rows| {
            rows.map(|rows| Content {
                rows,
                fingerprint: rows.to_string(),
            })
        });
        UserTable {
            name: name.to_owned(),
            before,
            after,
        }
    }

    #[test]
    fn the_user_s_tables_are_told_as_the_same_changed_or_not_compared() {
        let mut run = synthetic::record(7, 1, &["bare"]).run;
        assert_eq!(tables(&run), None);
        let same = |name| table(name, [Some(60_000); 2]);
        run.tables = vec![same("a"), table("b", [Some(5); 2])];
        let said =
            "the 2 tables of the user's database were the same before and after: 60 000, 5 rows";
        assert_eq!(tables(&run).as_deref(), Some(said));
        run.tables.push(table("c", [Some(7), Some(1_006)]));
        run.tables.push(table("d", [None, None]));
        let said = "2 of the 4 tables of the user's database were the same before and after: \
                    60 000, 5 rows; changed: c (7 rows, then 1 006); not compared, since not read \
                    both before and after within 30 s each: d";
        assert_eq!(tables(&run).as_deref(), Some(said));
        run.tables = ["a", "b", "c", "d", "e", "f"].map(same).to_vec();
        let said = tables(&run).expect("tables");
        assert!(said.ends_with("after: 360 000 rows in all"), "{said}");
        run.tables = vec![same("a")];
        let said = "the table of the user's database was the same before and after: 60 000 rows";
        assert_eq!(tables(&run).as_deref(), Some(said));
    }
}
