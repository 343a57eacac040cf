//! Commands that read what earlier runs recorded, and run nothing: `report`, `compare`,
//! `history`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use reports::{
    Data, Record, Verdict,
    compare::{self, lines},
    measures::Measures,
    page::Document,
};

use super::{Failure, bug, ci, colour, print, say, usage, width};
use crate::{
    cli::{Compare, History, Redraw, exit},
    environment::chain,
    flags::{Format, OutputArgs},
    stage,
};

fn refused(reason: String) -> Failure {
    (reason, exit::USAGE)
}

/// The record in the folder of a run.
fn record(command: &str, folder: &Path) -> Result<Record, Failure> {
    let path = folder.join("record.json");
    Record::load(&path).map_err(|error| {
        let of_gate = folder.join("run-1").join("record.json").is_file();
        let allowed = if of_gate {
            "the folder of one run: this one has several, the first in run-1"
        } else {
            "the folder of a run"
        };
        refused(format!("{command}: {}, allowed: {allowed}", chain(&error)))
    })
}

/// What the runs of a gate measured, a value for each. `None` where there is none.
fn of_gate(command: &str, folder: &Path) -> Result<Option<Measures>, Failure> {
    let mut runs = Vec::new();
    for number in 1.. {
        let run = folder.join(format!("run-{number}"));
        if !run.join("measures.json").is_file() {
            break;
        }
        runs.push(measured(command, &run)?);
    }
    Ok(Measures::together(&runs))
}

/// What a run measured: as it was written, or from its record where it was not.
fn measured(command: &str, folder: &Path) -> Result<Measures, Failure> {
    let path = folder.join("measures.json");
    if path.is_file() {
        let read = Measures::load(&path);
        return read.map_err(|error| refused(format!("{command}: {}", chain(&error))));
    }
    if !folder.join("record.json").is_file()
        && let Some(runs) = of_gate(command, folder)?
    {
        return Ok(runs);
    }
    let record = record(command, folder)?;
    Ok(reports::judge(&record).measures)
}

/// Judges a record again, and draws it.
pub(super) fn report(redraw: &Redraw) -> Result<u8, Failure> {
    let mut record = record("report", &redraw.run)?;
    let measures = Data::measures(record.data.command()).unwrap_or_default();
    let thresholds = redraw.thresholds.checked(&measures).map_err(usage)?;
    if !thresholds.is_empty() {
        record.run.thresholds = thresholds;
    }
    let folder = match &redraw.output.out {
        Some(out) => {
            std::fs::create_dir_all(out).map_err(|error| {
                let allowed = "allowed: a folder that can be written";
                refused(format!("--out: {}: {error}, {allowed}", out.display()))
            })?;
            out.clone()
        }
        None => redraw.run.clone(),
    };
    let folder = std::fs::canonicalize(&folder).unwrap_or(folder);
    let report = reports::judge(&record);
    let written = reports::write(&report, &folder);
    let document = report.document();
    tell(&redraw.output, &report.verdict, &document, &folder)?;
    match written {
        Ok(()) => Ok(report.verdict.exit_code),
        Err(error) => {
            say(&format!("error: not written: {}", chain(&error)));
            Ok(exit::NOT_WRITTEN)
        }
    }
}

fn tell(
    output: &OutputArgs,
    verdict: &Verdict,
    document: &Document<'_>,
    folder: &Path,
) -> Result<(), Failure> {
    match output.format {
        Format::Text => print(&reports::render::terminal(
            document,
            folder,
            colour(),
            width(),
        )),
        Format::Json => print(&verdict.to_json().map_err(|error| bug(&error))?),
    }
    ci::tell(verdict, document);
    Ok(())
}

/// Writes a page of several runs, and shows it.
fn written(
    command: &str,
    output: &OutputArgs,
    document: &Document<'_>,
    json: &serde_json::Value,
) -> Result<u8, Failure> {
    let folder = output
        .folder(command, 0, &stage::utc_now())
        .map_err(usage)?;
    let written = reports::write_document(document, &folder);
    match output.format {
        Format::Text => print(&reports::render::terminal(
            document,
            &folder,
            colour(),
            width(),
        )),
        Format::Json => print(&format!("{json:#}\n")),
    }
    match written {
        Ok(()) => Ok(document.exit_code),
        Err(error) => {
            say(&format!("error: not written: {}", chain(&error)));
            Ok(exit::NOT_WRITTEN)
        }
    }
}

/// Says what differs between two runs.
pub(super) fn compare(of: &Compare) -> Result<u8, Failure> {
    let a = measured("compare", &of.a)?;
    let b = measured("compare", &of.b)?;
    if a.command != b.command {
        let (a, b) = (&a.command, &b.command);
        let reason =
            format!("compare: a run of {a} and one of {b}, allowed: two of one experiment");
        return Err(refused(reason));
    }
    let measures = Data::measures(&a.command).unwrap_or_default();
    let differences = compare::differences(&a, &b);
    let all = compare::compare(&measures, &a, &b);
    let names = [of.a.display().to_string(), of.b.display().to_string()];
    let document = compare::document([&names[0], &names[1]], [&a, &b], &differences, &all);
    let changes = all.iter().map(|compared| {
        serde_json::json!({
            "measure": compared.measure.name,
            "labels": compared.a.labels,
            "first": compared.wholes[0].map(|value| value.least()),
            "second": compared.wholes[1].map(|value| value.least()),
            "change": compared.change,
            "low": compared.low,
            "high": compared.high,
            "p": compared.p,
            "significant": compared.significant,
            "better": compared.is_better(),
        })
    });
    let json = serde_json::json!({
        "differs": differences.setup,
        "measures": changes.collect::<Vec<_>>(),
    });
    written("compare", &of.output, &document, &json)
}

/// Folders in a folder that hold a run, and that folder itself.
fn runs_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(folder).map_err(|error| {
        let allowed = "allowed: a folder with the folders of runs";
        refused(format!("history: {}: {error}, {allowed}", folder.display()))
    })?;
    let here = entries.filter_map(|entry| Some(entry.ok()?.path()));
    // `latest` is one of the others.
    let here = here.filter(|path| path.is_dir() && !path.is_symlink());
    let has_run = |path: &PathBuf| {
        ["measures.json", "record.json"]
            .iter()
            .any(|name| path.join(name).is_file())
    };
    Ok(here.chain([folder.to_owned()]).filter(has_run).collect())
}

/// Draws measures over many runs.
pub(super) fn history(of: &History) -> Result<u8, Failure> {
    let mut by_command: BTreeMap<String, Vec<Measures>> = BTreeMap::new();
    for folder in runs_in(&of.runs)? {
        // One that cannot be read is told, and the others are drawn.
        match measured("history", &folder) {
            Ok(run) => by_command.entry(run.command.clone()).or_default().push(run),
            Err((reason, _)) => say(&format!("warning: {reason}")),
        }
    }
    let known: Vec<String> = by_command
        .iter()
        .map(|(command, runs)| format!("{command} ({})", runs.len()))
        .collect();
    let chosen = match &of.experiment {
        Some(name) => by_command.remove(name),
        None => by_command.into_values().max_by_key(Vec::len),
    };
    let Some(mut runs) = chosen else {
        let there = if known.is_empty() {
            "no run".to_owned()
        } else {
            known.join(", ")
        };
        let folder = of.runs.display();
        let reason = format!("history: {folder} holds {there}, allowed: the runs of an experiment");
        return Err(refused(reason));
    };
    runs.sort_by(|a, b| a.started_utc.cmp(&b.started_utc));
    let command = runs.first().map_or("", |run| run.command.as_str());
    let measures = Data::measures(command).unwrap_or_default();
    for name in &of.measures {
        if measures.iter().all(|measure| measure.name != name) {
            let mut names: Vec<&str> = measures.iter().map(|measure| measure.name).collect();
            names.sort_unstable();
            let allowed = names.join(", ");
            return Err(refused(format!(
                "--measure: {name}, allowed: one of {allowed}"
            )));
        }
    }
    let drawn = lines(&runs, &of.measures);
    let document = compare::history_document(&of.runs.display().to_string(), &runs, &drawn);
    let json: Vec<serde_json::Value> = drawn
        .iter()
        .map(|line| {
            let values: Vec<Option<f64>> = line
                .points
                .iter()
                .map(|point| point.map(|point| point.whole))
                .collect();
            serde_json::json!({ "measure": line.measure.name, "of": line.place, "values": values })
        })
        .collect();
    let started: Vec<&str> = runs.iter().map(|run| run.started_utc.as_str()).collect();
    let json = serde_json::json!({ "experiment": command, "runs": started, "lines": json });
    written("history", &of.output, &document, &json)
}
