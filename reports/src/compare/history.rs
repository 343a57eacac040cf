//! A measure over many runs.

use std::{borrow::Cow, collections::BTreeMap};

use super::plot;
use crate::{
    claim::Decision,
    experiment::Data,
    measures::Measures,
    page::{
        Block, Cell, Column, Document, Fact, Headline, Page, Row, Section, Summary, Table, letter,
        maybe,
    },
    run::ARM_SEAWALL,
    sample::{ARM, Measure},
    stats::quantile::Observation,
};

/// A measure at one place, run by run.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What it is.
    pub measure: Measure,
    /// Where.
    pub place: String,
    /// In each run; `None` where it was not measured.
    pub points: Vec<Option<Point>>,
}

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The least of its values.
    pub least: f64,
    /// All of it as one number.
    pub whole: f64,
    /// The greatest of its values.
    pub most: f64,
}

/// The measures of runs, the oldest first, by measure and place. Without `named`, those that
/// gates judge, of the arm `seawall` where there is one; else those of these names, of all arms.
#[must_use]
pub fn lines(runs: &[Measures], named: &[String]) -> Vec<Line> {
    let mut lines: BTreeMap<(String, String), Line> = BTreeMap::new();
    for (at, run) in runs.iter().enumerate() {
        let measures = Data::measures(&run.command).unwrap_or_default();
        let ours = run.arms.iter().any(|arm| arm.name == ARM_SEAWALL);
        for sample in &run.samples {
            let Some(measure) = measures
                .iter()
                .find(|measure| measure.name == sample.measure)
            else {
                continue;
            };
            let wanted = if named.is_empty() {
                measure.judged && (!ours || sample.label(ARM) == ARM_SEAWALL)
            } else {
                named.iter().any(|name| name == measure.name)
            };
            if !wanted {
                continue;
            }
            let place = sample.place();
            let line = lines.entry((measure.name.to_owned(), place.clone()));
            let line = line.or_insert_with(|| Line {
                measure: *measure,
                place,
                points: vec![None; runs.len()],
            });
            line.points[at] = plot::point(sample, sample.whole(measure.together));
        }
    }
    lines.into_values().collect()
}

/// What a measure of a run is called below a picture: its day and time.
fn short(utc: &str) -> String {
    utc.get(5..16)
        .map_or_else(|| utc.to_owned(), |short| short.replace('T', " "))
}

/// The page about runs of one experiment, the oldest first. `of` says where they are.
#[must_use]
pub fn document(of: &str, runs: &[Measures], lines: &[Line]) -> Document<'static> {
    let names: Vec<String> = runs.iter().map(|run| short(&run.started_utc)).collect();
    let by_measure: Vec<Vec<&Line>> = lines
        .chunk_by(|a, b| a.measure.name == b.measure.name)
        .map(|lines| lines.iter().collect())
        .collect();
    let command = runs.first().map_or("", |run| run.command.as_str());
    let mut sections = Vec::new();
    for lines in &by_measure {
        let Some(drawn) = plot::over_runs(lines, &names) else {
            continue;
        };
        let first = &lines[0].measure;
        let blocks = vec![
            Block::Plot(drawn),
            Block::Details(
                "run by run".to_owned(),
                vec![Block::Table(table(lines, runs))],
            ),
        ];
        sections.push(Section::new(
            &format!("m-{}", first.name.replace('.', "-")),
            first.name,
            blocks,
        ));
    }
    let finding = finding(lines, runs.len());
    let page = Page {
        title: format!("{command}, run after run"),
        finding,
        intro: "What was measured in each of several runs, the oldest first.".to_owned(),
        carried_out: format!("{} runs", runs.len()),
        summary: Summary {
            name: "HISTORY".to_owned(),
            says: String::new(),
            blocks: vec![Block::Table(overview(lines))],
        },
        sections,
        ..Page::default()
    };
    let span = match (names.first(), names.last()) {
        (Some(first), Some(last)) => format!("{} runs from {first} to {last}", runs.len()),
        _ => "no run".to_owned(),
    };
    Document {
        name: "history".to_owned(),
        page: Cow::Owned(page),
        headline: Headline {
            mood: if runs.len() > 1 {
                Decision::Holds
            } else {
                Decision::Inconclusive
            },
            sentence: format!(
                "{} measures over {} runs of {command}",
                lines.len(),
                runs.len()
            ),
        },
        facts: vec![Fact::new("in", of), Fact::new("runs", span)],
        claims: Cow::Owned(Vec::new()),
        skipped: Vec::new(),
        again: Vec::new(),
        details: Vec::new(),
        files: vec!["report.md".to_owned()],
        exit_code: 0,
    }
}

/// What changed most between the first and the last run.
fn finding(lines: &[Line], runs: usize) -> String {
    if runs < 2 {
        return "There are fewer than two runs of one experiment, so that nothing changes."
            .to_owned();
    }
    let changed = lines.iter().filter_map(|line| {
        let mut known = line.points.iter().flatten();
        let (first, last) = (known.next()?, known.next_back()?);
        let log = |value: f64| (value.max(0.0) + line.measure.resolution).ln();
        Some((line, first, last, log(last.whole) - log(first.whole)))
    });
    let most = changed.max_by(|a, b| a.3.abs().total_cmp(&b.3.abs()));
    most.map_or_else(
        || "No measure is in more than one run.".to_owned(),
        |(line, first, last, _)| {
            let said = |value: f64| line.measure.said(Some(Observation::Exact(value)));
            format!(
                "From the first run to the last, {} ({}) changed most: {}, then {}.",
                line.measure.name,
                line.place,
                said(first.whole),
                said(last.whole)
            )
        },
    )
}

/// One mark a run, from low to high.
fn sparkline(line: &Line) -> String {
    let known = || line.points.iter().flatten().map(|point| point.whole);
    let (least, most) = known().fold(
        (f64::INFINITY, f64::NEG_INFINITY),
        |(least, most), value| (least.min(value), most.max(value)),
    );
    let mark = |value: f64| {
        let part = if most > least {
            (value - least) / (most - least)
        } else {
            0.0
        };
        letter(&[Some(part)])
    };
    let marks = line
        .points
        .iter()
        .map(|point| point.map_or(' ', |point| mark(point.whole)));
    marks.collect()
}

fn overview(lines: &[Line]) -> Table {
    let rows = lines.iter().map(|line| {
        let said = |point: Option<&Point>| {
            maybe(point, |point| {
                line.measure.said(Some(Observation::Exact(point.whole)))
            })
        };
        let mut known = line.points.iter().flatten();
        let first = known.next();
        let last = known.next_back().or(first);
        Row {
            cells: [
                line.measure.name.to_owned(),
                line.place.clone(),
                sparkline(line),
                said(first),
                said(last),
            ]
            .map(Cell::from)
            .to_vec(),
            ..Row::default()
        }
    });
    Table {
        columns: vec![
            Column::head("measure"),
            Column::text("of"),
            Column::text("runs"),
            Column::number("first"),
            Column::number("last"),
        ],
        rows: rows.collect(),
        empty: "Nothing was measured.",
        ..Table::default()
    }
}

fn table(lines: &[&Line], runs: &[Measures]) -> Table {
    let mut columns = vec![
        Column::head("run"),
        Column::text("size"),
        Column::number("seed"),
    ];
    columns.extend(lines.iter().map(|line| Column::number(line.place.clone())));
    let rows = runs.iter().enumerate().map(|(at, run)| {
        let mut cells = vec![
            Cell::from(run.started_utc.as_str()),
            Cell::from(run.size.as_str()),
            Cell::from(run.seed.to_string()),
        ];
        cells.extend(lines.iter().map(|line| {
            let point = line.points.get(at).copied().flatten();
            Cell::from(maybe(point, |point| {
                line.measure.said(Some(Observation::Exact(point.whole)))
            }))
        }));
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
