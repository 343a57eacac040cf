//! The page about two runs.

use std::borrow::Cow;

use super::{Compared, Differences, plot, two::spread};
use crate::{
    claim::Decision,
    measures::Measures,
    numbers::times,
    page::{
        Again, Block, Cell, Column, Definition, Document, Fact, Headline, Page, Row, Section,
        Summary, Table, maybe,
    },
    plot::{
        changes::{Bar, changes},
        palette::{BLUE, GREEN, GREY, VERMILION},
    },
    run::ARM_SEAWALL,
    sample::ARM,
};

const WORDS: [Definition; 3] = [
    Definition {
        word: "Change",
        means: "The second run in times of the first. Of percentiles of all operations, the ratio of \
                those of both runs; of other measures Hodges and Lehmann's estimate over the values \
                of a run: of each injection, stretch or round.",
    },
    Definition {
        word: "Interval",
        means: "The exact 95 % interval of that estimate, from ranks. With fewer than four values a \
                side it does not end.",
    },
    Definition {
        word: "Significant",
        means: "Less likely than 5 % by chance over all measures together: Mann and Whitney's test, \
                corrected by Holm's method. Two runs of one build may differ significantly, since a \
                machine is not the same at two times: a gate tells that from a regression.",
    },
];

/// Most measures that are drawn one by one.
const DRAWN: usize = 12;

/// Two runs; `names` say where they are.
#[must_use]
pub fn document(
    names: [&str; 2],
    [a, b]: [&Measures; 2],
    differences: &Differences,
    all: &[Compared],
) -> Document<'static> {
    let significant = all.iter().filter(|compared| compared.significant).count();
    let page = Page {
        title: "What differs between two runs".to_owned(),
        finding: finding(all),
        intro:
            "Every measure that both runs have, with its change. First what differs in how they \
                came about."
                .to_owned(),
        carried_out: format!("{} measures compared", all.len()),
        lead: lead(differences),
        summary: Summary {
            name: "CHANGES".to_owned(),
            says: "what differs significantly, and what changed most".to_owned(),
            blocks: vec![Block::Table(short(&shown(all)))],
        },
        sections: sections(differences, all),
        measured: vec![Block::Definitions(&WORDS)],
        ..Page::default()
    };
    let fact = |name: &str, place: &str, of: &Measures| {
        let text = format!(
            "{} {}, seed {}, {} ({place})",
            of.command, of.size, of.seed, of.started_utc
        );
        Fact::new(name, text)
    };
    let quoted = names.map(|name| crate::page::quoted(name).into_owned());
    Document {
        name: "compare".to_owned(),
        page: Cow::Owned(page),
        headline: Headline {
            mood: Decision::Inconclusive,
            sentence: match significant {
                0 => format!("None of {} measures differs significantly", all.len()),
                1 => format!("1 of {} measures differs significantly", all.len()),
                n => format!("{n} of {} measures differ significantly", all.len()),
            },
        },
        facts: vec![fact("first", names[0], a), fact("second", names[1], b)],
        claims: Cow::Owned(Vec::new()),
        skipped: Vec::new(),
        again: vec![Again {
            command: format!("cargo run -p scenarios -- compare {}", quoted.join(" ")),
            ..Again::default()
        }],
        details: Vec::new(),
        files: vec!["report.md".to_owned()],
        exit_code: 0,
    }
}

fn name(compared: &Compared) -> String {
    format!("{}, {}", compared.measure.name, compared.a.place())
}

fn size(compared: &Compared) -> f64 {
    compared
        .change
        .map_or(0.0, |change| change.max(1e-9).ln().abs())
}

/// What is significant first, and of both the greatest changes, ours before others.
fn sorted(all: &[Compared]) -> Vec<&Compared> {
    let mut sorted: Vec<&Compared> = all.iter().collect();
    sorted.sort_by(|a, b| {
        let ours = |compared: &Compared| compared.a.label(ARM) != ARM_SEAWALL;
        (!a.significant, ours(a))
            .cmp(&(!b.significant, ours(b)))
            .then(size(b).total_cmp(&size(a)))
    });
    sorted
}

/// What a terminal has room for.
fn shown(all: &[Compared]) -> Vec<&Compared> {
    sorted(all).into_iter().take(20).collect()
}

fn finding(all: &[Compared]) -> String {
    let sorted = sorted(all);
    let first = sorted.iter().find(|compared| compared.significant);
    let Some(first) = first else {
        return match sorted.first() {
            None => "The two runs have no measure in common.".to_owned(),
            Some(most) => format!(
                "No measure differs beyond chance. The greatest change is that of {}: {}, then {}.",
                name(most),
                most.measure.said(most.wholes[0]),
                most.measure.said(most.wholes[1])
            ),
        };
    };
    let better = first.is_better() == Some(true);
    format!(
        "{} is {} in the second run: {}, then {} ({}).",
        name(first),
        if better { "better" } else { "worse" },
        first.measure.said(first.wholes[0]),
        first.measure.said(first.wholes[1]),
        maybe(first.change, times)
    )
}

fn lead(differences: &Differences) -> Vec<Block> {
    if differences.setup.is_empty() {
        return vec![Block::muted(
            "Both runs have the same command, environment and settings.",
        )];
    }
    vec![
        Block::text("What differs in how they came about:"),
        Block::List(differences.setup.clone()),
    ]
}

fn sections(differences: &Differences, all: &[Compared]) -> Vec<Section> {
    let sorted = sorted(all);
    let mut sections = Vec::new();
    let bars: Vec<Bar> = sorted
        .iter()
        .take(30)
        .map(|compared| bar(compared))
        .collect();
    let title = "Changes, the significant ones first".to_owned();
    let subtitle = "The second run in times of the first. Bar: the 95 % interval. Green: significantly \
                    better; red: significantly worse; blue or grey: within chance.";
    sections.extend(
        changes("changes", title, subtitle, &bars)
            .map(|plot| Section::new("changes", "What changed", vec![Block::Plot(plot)])),
    );
    sections.push(Section::new(
        "all",
        "Every measure",
        vec![Block::Table(table(&sorted))],
    ));
    let mut names: Vec<&str> = Vec::new();
    for compared in &sorted {
        if !names.contains(&compared.measure.name) {
            names.push(compared.measure.name);
        }
    }
    let drawn = names.into_iter().take(DRAWN).filter_map(|name| {
        let of: Vec<&Compared> = all.iter().filter(|c| c.measure.name == name).collect();
        plot::overlaid(&of).map(Block::Plot)
    });
    let drawn: Vec<Block> = drawn.collect();
    if !drawn.is_empty() {
        sections.push(Section::new(
            "values",
            "Both runs laid over each other",
            drawn,
        ));
    }
    let only = [
        ("the first", &differences.only_a),
        ("the second", &differences.only_b),
    ];
    for (which, list) in only {
        if !list.is_empty() {
            let title = format!("Measured in {which} run only");
            sections.push(Section::new("", title, vec![Block::List(list.clone())]));
        }
    }
    sections
}

fn bar(compared: &Compared) -> Bar {
    Bar {
        name: name(compared),
        estimate: compared.change,
        low: compared.low,
        high: compared.high,
        values: Vec::new(),
        shaded: None,
        color: match compared.is_better() {
            Some(true) => GREEN,
            Some(false) => VERMILION,
            None if compared.a.label(ARM) == ARM_SEAWALL => BLUE,
            None => GREY,
        },
    }
}

/// The same without the spread of values.
fn short(all: &[&Compared]) -> Table {
    let mut table = table(all);
    table.drop_last(2);
    table
}

fn table(all: &[&Compared]) -> Table {
    let columns = vec![
        Column::head("measure"),
        Column::text("of"),
        Column::number("first"),
        Column::number("second"),
        Column::number("change").about("the second in times of the first"),
        Column::text("interval"),
        Column::number("p").about("by chance, of this one alone"),
        Column::text("verdict"),
        Column::text("values of the first").about("from the least to the greatest"),
        Column::text("values of the second").about("from the least to the greatest"),
    ];
    let rows = all.iter().map(|compared| {
        let measure = &compared.measure;
        let verdict = match compared.is_better() {
            Some(true) => "better",
            Some(false) => "worse",
            None if compared.significant => "differs",
            None => "",
        };
        let interval = match (compared.low, compared.high) {
            (None, None) => "-".to_owned(),
            (low, high) => format!("{} to {}", maybe(low, times), maybe(high, times)),
        };
        let mut cells: Vec<Cell> = [
            measure.name.to_owned(),
            compared.a.place(),
            measure.said(compared.wholes[0]),
            measure.said(compared.wholes[1]),
            maybe(compared.change, times),
            interval,
            format!("{:.3}", compared.p),
            verdict.to_owned(),
            spread(measure, &compared.a),
            spread(measure, &compared.b),
        ]
        .map(Cell::from)
        .to_vec();
        cells[7].strong = true;
        Row {
            cells,
            ..Row::default()
        }
    });
    Table {
        columns,
        rows: rows.collect(),
        empty: "The two runs have no measure in common.",
        ..Table::default()
    }
}
