//! What a gate found, as a verdict and as a page.

use std::borrow::Cow;

use super::{Baseline, Budget, Judged, Kind, Of, Ruling, RunOf, TOLD, claims::said};
use crate::{
    Verdict,
    claim::{Claim, Decision, id},
    numbers::{percent, times},
    page::{
        Again, Block, Cell, Column, Definition, Document, Fact, Headline, Page, Row, Section,
        Summary, Table, maybe,
    },
    plot::{
        changes::{Bar, changes},
        palette::{BLUE, GREY, VERMILION},
    },
    run::Ended,
    sample::Measure,
    verdict::{self, exit},
};

const WORDS: [Definition; 5] = [
    Definition {
        word: "Change",
        means: "By how much a measure is worse than in the baseline, in times: 1.10x is 10 % \
                worse, whichever way the measure is better. Several faults or conditions are taken \
                together, each counting alike. The replicate is the run. Estimate and interval are \
                Hodges and Lehmann's, at the level of the look over the number of measures.",
    },
    Definition {
        word: "Floor",
        means: "What the estimates of nine of ten comparisons of a build with itself stay within, all \
                measures together, as the runs of either side differ among themselves (A/A); at \
                least 5 %. Its reach is what their whole intervals stay within.",
    },
    Definition {
        word: "Regression",
        means: "The whole interval lies beyond the floor. No worse: it lies within the reach. \
                Otherwise more runs may tell, as many as the plan and the budget allow. An \
                unchanged build is said to be worse in at most 5 % of all gates.",
    },
    Definition {
        word: "As it is",
        means: "Counts that came out the same, within 2 %, in all runs of the baseline are compared \
                as they are: worse is a median that is more than 2 % above the greatest of the \
                baseline.",
    },
    Definition {
        word: "Found",
        means: "How often a gate like this one finds that a measure is 10, 20 or 50 % worse, at its \
                first look and by its last one: from comparisons that are drawn from the \
                differences between runs of one build.",
    },
];

/// The verdict of a gate: what it says of the runs that it was given.
#[must_use]
pub fn verdict(of: &Of, ended: Ended, claims: Vec<Claim>) -> Verdict {
    let gating = || claims.iter().filter(|claim| claim.gating);
    let lost = gating().any(|claim| claim.id == id::NO_LOSS && claim.is(Decision::Refuted));
    let exit_code = match &ended {
        Ended::Interrupted => exit::INTERRUPTED,
        _ if lost => exit::DATA_LOST,
        _ if gating().any(|claim| claim.is(Decision::Refuted)) => exit::REFUTED,
        Ended::NoSteadyState { .. } => exit::NO_STEADY_STATE,
        Ended::Failed { .. } => exit::FAILED,
        Ended::Complete if gating().next().is_none() => exit::INCONCLUSIVE,
        Ended::Complete if gating().all(|claim| claim.is(Decision::Holds)) => exit::HOLDS,
        Ended::Complete => exit::INCONCLUSIVE,
    };
    Verdict {
        schema: verdict::SCHEMA,
        command: "gate".to_owned(),
        seed: of.seed,
        exit_code,
        ended,
        environment: of.environment.clone(),
        claims,
        injections: Vec::new(),
        ledger: crate::run::Ledger::default(),
        skipped: Vec::new(),
        findings: serde_json::Map::new(),
    }
}

/// The page of a gate. `again` is the command that does it again.
#[must_use]
pub fn document<'a>(
    baseline: &Baseline,
    of: &Of,
    now: &[RunOf],
    judged: &[Judged],
    verdict: &'a Verdict,
    again: String,
) -> Document<'a> {
    let differs = baseline.of.differs(of);
    let page = Page {
        title: "Is this build worse than the baseline?".to_owned(),
        finding: finding(judged, &verdict.claims),
        intro: format!(
            "The same experiment was carried out {} times with this build, and {} times with the \
             build of the baseline. This page says what got worse between the two, beyond what \
             runs of one build differ by.",
            now.len(),
            baseline.runs.len()
        ),
        carried_out: format!("{} runs", now.len()),
        lead: lead(&differs),
        summary: summary(judged, &differs),
        sections: sections(judged, now, baseline),
        measured: vec![Block::Definitions(&WORDS)],
        repeats: "Every run has the seed of the baseline.".to_owned(),
        ..Page::default()
    };
    let typed: Vec<&str> = std::iter::once(of.command.as_str())
        .chain(of.arguments.iter().map(String::as_str))
        .collect();
    let since = baseline.runs.first().map_or("", |run| &*run.started_utc);
    Document {
        name: "gate".to_owned(),
        page: Cow::Owned(page),
        headline: headline(judged, verdict),
        facts: vec![
            Fact::new("of", format!("{}, seed {}", typed.join(" "), of.seed)),
            Fact::new(
                "baseline",
                format!("{} runs from {since} on", baseline.runs.len()),
            ),
            Fact::new("on", of.environment.to_string()),
        ],
        claims: Cow::Borrowed(&verdict.claims),
        skipped: Vec::new(),
        again: vec![Again {
            command: again,
            ..Again::default()
        }],
        details: Vec::new(),
        files: ["verdict.json", "report.md", "junit.xml"]
            .map(str::to_owned)
            .to_vec(),
        exit_code: verdict.exit_code,
    }
}

/// What a baseline is good for, for a terminal: how likely a later gate finds what is worse.
#[must_use]
pub fn told(baseline: &Baseline, measures: &[Measure]) -> String {
    let series = super::series(measures, &baseline.runs, &baseline.runs);
    let soft = super::soft(&series);
    let runs = baseline.runs.len();
    let plan = super::ahead(
        Budget {
            then: runs,
            most: usize::MAX,
        },
        soft,
    );
    let same: Vec<Judged> = super::judge(&series, &plan, 0, &[], &[], baseline.of.seed);
    let soft: Vec<&Judged> = same
        .iter()
        .filter(|judged| judged.kind == Kind::Soft)
        .collect();
    let looks = plan.looks();
    let tell = match (looks.first(), looks.last()) {
        (Some(first), Some(last)) if first < last => {
            format!("a gate of {first} runs, or up to {last} where these do not tell,")
        }
        (first, _) => format!("a gate of {} runs", first.unwrap_or(&runs)),
    };
    let same_every_time = same.len() - soft.len();
    let mut text = format!(
        "{runs} runs; {same_every_time} counts come out the same every time; of the others {tell}\n\
         finds what is 10, 20 and 50 % worse so often:\n"
    );
    let width = soft
        .iter()
        .map(|judged| judged.series.key.name().len())
        .max()
        .unwrap_or(0);
    for judged in soft {
        let name = judged.series.key.name();
        let power: Vec<String> = judged
            .power
            .iter()
            .map(|power| format!("{:>4.0} %", power.last * 100.0))
            .collect();
        text += &format!("  {name:<width$} {}\n", power.concat());
    }
    text
}

fn of(judged: &[Judged], ruling: Ruling) -> Vec<&Judged> {
    judged
        .iter()
        .filter(|judged| judged.ruling == ruling)
        .collect()
}

fn headline(judged: &[Judged], verdict: &Verdict) -> Headline {
    let sure = of(judged, Ruling::NoWorse).len();
    let (mood, sentence) = match (&verdict.ended, verdict.exit_code) {
        (Ended::Interrupted, _) => (
            Decision::Inconclusive,
            "The gate was interrupted".to_owned(),
        ),
        (_, exit::REFUTED | exit::DATA_LOST) => {
            let refuted = verdict
                .claims
                .iter()
                .filter(|claim| claim.is(Decision::Refuted));
            let names: Vec<&str> = refuted.map(|claim| claim.id.as_str()).collect();
            (
                Decision::Refuted,
                format!("Worse than the baseline: {}", names.join("; ")),
            )
        }
        (Ended::NoSteadyState { reason } | Ended::Failed { reason }, _) => (
            Decision::Inconclusive,
            format!("The gate did not come to its end: {reason}"),
        ),
        (_, exit::HOLDS) => (
            Decision::Holds,
            format!("No worse than the baseline in any of {sure} measures"),
        ),
        _ => {
            let open = verdict
                .claims
                .iter()
                .filter(|claim| claim.is(Decision::Inconclusive));
            let names: Vec<&str> = open.map(|claim| claim.id.as_str()).collect();
            (
                Decision::Inconclusive,
                format!("Not known yet of {}", names.join("; ")),
            )
        }
    };
    Headline { mood, sentence }
}

/// What is worst, in a sentence.
fn finding(judged: &[Judged], claims: &[Claim]) -> String {
    let mut worse = of(judged, Ruling::Regression);
    worse.sort_by(|a, b| {
        b.change
            .estimate
            .unwrap_or(0.0)
            .total_cmp(&a.change.estimate.unwrap_or(0.0))
    });
    let broken = claims
        .iter()
        .filter(|claim| claim.is(Decision::Refuted))
        .count()
        - worse.len().min(claims.len());
    let Some(worst) = worse.first() else {
        let refuted = claims.iter().find(|claim| claim.is(Decision::Refuted));
        if let Some(claim) = refuted {
            return format!(
                "What held in the baseline does not any more: {}.",
                claim.says
            );
        }
        let open = of(judged, Ruling::Open).len();
        let closest = judged
            .iter()
            .filter_map(|judged| Some((judged, judged.change.high?)));
        let closest = closest.max_by(|(_, a), (_, b)| a.total_cmp(b));
        return match closest {
            Some((judged, high)) if open == 0 => format!(
                "Nothing is worse. The least certain is {}, which may be up to {} of what it was, \
                 within what two runs of one build differ by.",
                judged.series.key.name(),
                times(high)
            ),
            _ => format!(
                "Nothing is known to be worse; {open} of {} measures are not known yet.",
                judged.len()
            ),
        };
    };
    let medians = worst
        .series
        .medians
        .map_or_else(String::new, |[then, now]| {
            format!(" ({}, then {})", said(worst, then), said(worst, now))
        });
    let more = match worse.len() - 1 + broken {
        0 => String::new(),
        n => format!(", and {n} more got worse"),
    };
    format!(
        "{} is {} as bad as in the baseline{medians}{more}.",
        worst.series.key.name(),
        maybe(worst.change.estimate, times)
    )
}

fn lead(differs: &[String]) -> Vec<Block> {
    if differs.is_empty() {
        return vec![Block::muted(
            "The baseline is of the same environment and the same settings.",
        )];
    }
    vec![
        Block::text("What differs from the baseline, beside the build:"),
        Block::List(differs.to_vec()),
    ]
}

fn summary(judged: &[Judged], differs: &[String]) -> Summary {
    let soft: Vec<&Judged> = judged
        .iter()
        .filter(|judged| judged.kind == Kind::Soft)
        .collect();
    let mut blocks: Vec<Block> = differs
        .iter()
        .map(|difference| Block::muted(format!("differs: {difference}")))
        .collect();
    let hard = judged.len() - soft.len();
    let said = format!(
        "{hard} counts are compared as they are, {} measures by interval against their floor.",
        soft.len()
    );
    blocks.push(Block::muted(said));
    blocks.extend(told_of(&soft).map(Block::muted));
    Summary {
        name: "GATE".to_owned(),
        blocks,
        ..Summary::default()
    }
}

/// Of which measures a change of 20 % is found, mostly.
fn told_of(soft: &[&Judged]) -> Option<String> {
    let finds = |judged: &&&Judged| judged.power.get(1).is_some_and(|power| power.last >= 0.8);
    let known = soft.iter().filter(|judged| !judged.power.is_empty());
    let (found, not): (Vec<&&Judged>, Vec<_>) = known.partition(finds);
    let not: Vec<String> = not.iter().map(|judged| judged.series.key.name()).collect();
    let all = found.len() + not.len();
    if all == 0 {
        return None;
    }
    Some(if not.is_empty() {
        format!("What is 20 % worse is found in four of five gates, of each of these {all}.")
    } else {
        format!(
            "What is 20 % worse is found in four of five gates of {} of these {all}; too noisy here \
             for that: {}.",
            found.len(),
            not.join("; ")
        )
    })
}

fn sections(judged: &[Judged], now: &[RunOf], baseline: &Baseline) -> Vec<Section> {
    let mut sections = Vec::new();
    sections.extend(
        plot(judged).map(|plot| Section::new("changes", "What changed", vec![Block::Plot(plot)])),
    );
    sections.push(Section::new(
        "measures",
        "Measure by measure",
        vec![Block::Table(table(judged))],
    ));
    let started = |runs: &[RunOf]| {
        runs.iter()
            .map(|run| run.started_utc.clone())
            .collect::<Vec<_>>()
    };
    sections.push(Section::claims());
    sections.push(Section::new(
        "runs",
        "The runs",
        vec![
            Block::muted("Of the baseline:"),
            Block::List(started(&baseline.runs)),
            Block::muted("Of this build, each in a folder of its own beside this file:"),
            Block::List(started(now)),
        ],
    ));
    sections
}

fn plot(judged: &[Judged]) -> Option<crate::plot::Plot> {
    let mut sorted: Vec<&Judged> = judged.iter().collect();
    sorted.sort_by(|a, b| {
        b.change
            .estimate
            .unwrap_or(0.0)
            .total_cmp(&a.change.estimate.unwrap_or(0.0))
    });
    let bars: Vec<Bar> = sorted
        .iter()
        .map(|judged| Bar {
            name: judged.series.key.name(),
            estimate: judged.change.estimate,
            low: judged.change.low,
            high: judged.change.high,
            values: Vec::new(),
            shaded: Some([judged.change.floor.recip(), judged.change.floor])
                .filter(|_| judged.change.floor.is_finite()),
            color: match judged.ruling {
                Ruling::Regression => VERMILION,
                Ruling::Open => GREY,
                Ruling::NoWorse => BLUE,
            },
        })
        .collect();
    let title = match of(judged, Ruling::Regression).len() {
        0 => "No measure is worse beyond its floor".to_owned(),
        1 => "One measure is worse beyond its floor".to_owned(),
        n => format!("{n} measures are worse beyond their floors"),
    };
    let subtitle = "Change in times of the baseline; to the right is worse. Shaded: the noise floor. \
                    Bar: the interval.";
    changes("changes", title, subtitle, &bars)
}

fn table(judged: &[Judged]) -> Table {
    let mut columns = vec![
        Column::head("measure"),
        Column::text("verdict"),
        Column::number("baseline").about("the median of its runs"),
        Column::number("now").about("the median of these runs"),
        Column::number("change").about("in times; above 1 is worse"),
        Column::text("interval"),
        Column::number("floor").about("worse lies beyond it"),
        Column::number("reach").about("no worse lies within it"),
    ];
    columns.extend(TOLD.map(|worse| {
        Column::number(format!("found +{:.0} %", worse * 100.0))
            .about("how often a gate like this finds it, by its last look")
    }));
    columns.push(Column::text("worst at"));
    let rows = judged.iter().map(|judged| {
        let change = &judged.change;
        let verdict = match judged.ruling {
            Ruling::Regression => "worse",
            Ruling::NoWorse => "no worse",
            Ruling::Open => "not known",
        };
        let [then, now] = match judged.series.medians {
            Some(medians) => medians.map(|value| said(judged, value)),
            None => ["-", "-"].map(str::to_owned),
        };
        let interval = match judged.kind {
            Kind::Hard => "as it is".to_owned(),
            Kind::Soft => format!(
                "{} to {}",
                maybe(change.low, times),
                maybe(change.high, times)
            ),
        };
        let mut cells: Vec<Cell> = [
            judged.series.key.name(),
            verdict.to_owned(),
            then,
            now,
            maybe(change.estimate, times),
            interval,
            times(change.floor),
            times(change.reach),
        ]
        .map(Cell::from)
        .to_vec();
        if judged.ruling == Ruling::Regression {
            cells[1].strong = true;
        }
        cells.extend((0..TOLD.len()).map(|i| match judged.power.get(i) {
            Some(power) => Cell::from(percent(power.last)),
            None => Cell::from("100 %"),
        }));
        let worst = judged.series.worst.as_ref();
        cells.push(Cell::from(maybe(worst, |(place, change)| {
            format!("{place} ({})", times(change.exp()))
        })));
        Row {
            cells,
            ..Row::default()
        }
    });
    Table {
        columns,
        rows: rows.collect(),
        empty: "Nothing was measured.",
        ..Table::default()
    }
}
