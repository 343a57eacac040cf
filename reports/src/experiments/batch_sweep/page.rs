//! What its report says: what to ship first, then what is claimed, and for each class
//! its curves and numbers.

use crate::{
    claim::Claim,
    page::{Block, Form, Page, Section, Ship, Style, Summary, Table, Text, sentence},
    plot::Plot,
    run::ARM_GUIDE,
};

use super::{
    ClassFinding, Data, Findings, How, LeftOut, THROUGHPUT,
    plots::{self, speedup_name},
    ship,
    table::{self, MARKS},
    words::WORDS,
};

pub(super) fn page(data: &Data, findings: &Findings, claims: &[Claim]) -> Page {
    let classes = findings.classes.iter();
    Page {
        title: "Which batch size to ship".to_owned(),
        finding: ship::finding(findings),
        intro: "Queries were run one at a time by a bare client of tokio-postgres, and by the \
                engine one at a time and through its pipeline, in batches of different sizes, \
                at different round-trip times and with commits that wait for the disk or do \
                not. This page says how much faster than the bare client which size is, and \
                what it costs."
            .to_owned(),
        carried_out: format!("{} conditions measured", data.conditions.len()),
        summary: summary(findings),
        ship: classes.clone().map(to_ship).collect(),
        sections: [overview(findings, claims), Section::claims()]
            .into_iter()
            .chain(classes.map(|class| of_class(findings, class, plots::speedup(findings, class))))
            .chain(in_markdown(findings))
            .collect(),
        measured: measured(data, findings),
        repeats: "The same seed and flags take the same slices in the same order.".to_owned(),
        read_files: data.classes.iter().any(|class| class.guide_batch.is_none()),
        ..Page::default()
    }
}

fn summary(findings: &Findings) -> Summary {
    let tables = findings.classes.iter().map(|class| {
        let mut table = table::speedups(findings, class);
        table.heading = format!("{} ({})", class.name, ship::guide(class));
        // What is left has no room.
        table.drop_last(3);
        table
            .rows
            .sort_by(|a, b| a.cells[0].text.cmp(&b.cells[0].text));
        Block::Table(table)
    });
    Summary {
        name: "BATCHES".to_owned(),
        says: format!("times as fast as one at a time; {MARKS}"),
        blocks: tables.collect(),
    }
}

fn to_ship(class: &ClassFinding) -> Ship {
    let Some(recommended) = &class.recommended else {
        return Ship {
            name: format!("{}: {}", class.name, ship::NOTHING),
            ..Ship::default()
        };
    };
    let cost = format!("{}; {}", ship::cost(recommended), ship::auto(recommended));
    let says = [ship::what(recommended), recommended.reason.clone(), cost];
    Ship {
        name: class.name.clone(),
        says: says.into_iter().chain(ship::by_rtt(class)).collect(),
        settings: ship::settings(recommended),
    }
}

fn overview(findings: &Findings, claims: &[Claim]) -> Section {
    let mut blocks = vec![Block::Table(table::overview(findings))];
    let mut claims = claims.iter();
    let guide = claims.find(|c| c.arm == ARM_GUIDE && c.id == THROUGHPUT);
    if let Some(reason) = guide.and_then(|claim| claim.reason.as_ref()) {
        blocks.push(Block::finding(format!(
            "The guide's \"2-10x improvement with pipelining\" {reason}."
        )));
    }
    Section::new("ship", "What to ship", blocks)
}

fn of_class(findings: &Findings, class: &ClassFinding, plot: Option<Plot>) -> Section {
    let mut blocks = vec![Block::text(&class.about)];
    match &class.recommended {
        Some(recommended) => {
            let costs = [
                &recommended.reason,
                &ship::cost(recommended),
                &ship::auto(recommended),
            ];
            let costs = costs.map(|clause| sentence(clause)).join(" ");
            blocks.extend([
                Block::finding(sentence(&ship::what(recommended))),
                Block::Code("toml", ship::settings(recommended)),
                Block::text(costs),
            ]);
            if class.by_rtt.len() > 1 {
                blocks.push(Block::Table(table::by_rtt(class)));
            }
        }
        None => blocks.push(Block::text(sentence(ship::NOTHING))),
    }
    blocks.extend(plot.map(Block::Plot));
    blocks.push(Block::Table(table::speedups(findings, class)));
    blocks.push(Block::muted(format!(
        "Times as fast as one at a time. {MARKS}."
    )));
    let mut numbers = vec![Block::Table(table::numbers(findings, class))];
    numbers.extend(left_out(findings, class));
    blocks.push(Block::Details(
        format!("All numbers of {}", class.name),
        numbers,
    ));
    Section {
        note: format!("({})", ship::guide(class)),
        ..Section::new(
            &format!("of-{}", speedup_name(&class.name)),
            &class.name,
            blocks,
        )
    }
    .only(Form::Html)
}

/// What was not tried and why, with the conditions that this is said of.
fn left_out(findings: &Findings, class: &ClassFinding) -> Vec<Block> {
    let mut all: Vec<(&LeftOut, Vec<String>)> = Vec::new();
    for condition in findings.of_class(&class.name) {
        for left_out in &condition.left_out {
            match all.iter_mut().find(|(other, _)| *other == left_out) {
                Some((_, places)) => places.push(condition.place()),
                None => all.push((left_out, vec![condition.place()])),
            }
        }
    }
    let notes = all.into_iter().map(|(left_out, places)| {
        let way = match left_out.how {
            How::Bare => "bare client, one at a time".to_owned(),
            How::Sequential => "one at a time".to_owned(),
            How::Pipelined { mode, size } => format!("{}, {}", mode.name(), table::size(size)),
        };
        let text = Text::new(Style::Muted).strong(way);
        let why = format!(
            " was left out: {} ({}).",
            left_out.reason,
            places.join("; ")
        );
        Block::Text(text.then(why))
    });
    notes.collect()
}

/// Without details to open, all advice stands first, then all speed-ups, then the
/// numbers.
fn in_markdown(findings: &Findings) -> Vec<Section> {
    let headed = |class: &ClassFinding, heading: &str, table: Table| {
        Block::Table(Table {
            heading: format!("{} {heading}", class.name),
            ..table
        })
    };
    let advice = findings.classes.iter().map(|class| {
        let blocks = match &class.recommended {
            None => vec![Block::text(sentence(ship::NOTHING))],
            Some(recommended) => {
                let costs = [
                    ship::what(recommended),
                    recommended.reason.clone(),
                    ship::cost(recommended),
                    ship::auto(recommended),
                ];
                let clauses = costs.into_iter().chain(ship::by_rtt(class));
                vec![
                    Block::List(clauses.collect()),
                    Block::Code("toml", ship::settings(recommended)),
                ]
            }
        };
        let title = format!("{} ({})", class.name, ship::guide(class));
        let blocks = [Block::text(&class.about)].into_iter().chain(blocks);
        Section::new("", title, blocks.collect())
    });
    let marks = format!("{MARKS}; A/A: what all is compared with, over itself.");
    let classes = findings.classes.iter();
    let speedups = classes.map(|class| {
        let table = table::speedups(findings, class);
        headed(class, "by batch size", table)
    });
    let speedups = [Block::text(marks)].into_iter().chain(speedups).collect();
    let classes = findings.classes.iter();
    let numbers = classes.map(|class| {
        let table = table::numbers(findings, class);
        headed(class, "in numbers", table)
    });
    let sections = advice.chain([
        Section::new("", "Times as fast as one at a time", speedups),
        Section::new("", "All numbers", numbers.collect()),
    ]);
    sections
        .map(|section| section.only(Form::Markdown))
        .collect()
}

fn measured(data: &Data, findings: &Findings) -> Vec<Block> {
    let rounds = findings.conditions.iter().map(|c| c.rounds);
    let mut blocks = vec![Block::text(format!(
        "{} conditions, with at least {} rounds each.",
        findings.conditions.len(),
        rounds.min().unwrap_or(0)
    ))];
    blocks.extend(data.classes.iter().map(|class| {
        let statements = class.statements.iter();
        let statements = statements.map(|statement| Block::Code("sql", statement.clone()));
        Block::Details(
            format!("Statements of {}", class.name),
            statements.collect(),
        )
    }));
    blocks.push(Block::Definitions(&WORDS));
    blocks
}
