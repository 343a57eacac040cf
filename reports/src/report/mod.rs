//! A record with all that follows from it, before it has a form.
//!
//! - `headline`: the verdict in one sentence, and where it was found
//! - `again`: the command that does the same run again
//! - `plan`: what was planned, for who asks for it

mod again;
mod headline;
mod plan;

use std::borrow::Cow;

use crate::{
    Data, Record, Verdict,
    measures::Measures,
    page::{self, Again, Document, Fact, Page},
    threshold,
};

/// A record, judged.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// What was recorded.
    pub record: &'a Record,
    /// What it says.
    pub verdict: Verdict,
    /// What was measured, number by number.
    pub measures: Measures,
    /// How it is said to people.
    pub page: Page,
}

/// Judges a record.
#[must_use]
pub fn judge(record: &Record) -> Report<'_> {
    let (mut judged, mut page) = record.data.judged(&record.run);
    if let Some(scripts) = page::scripts(&record.run) {
        page.sections.push(scripts);
        page.read_files = true;
    }
    let samples = std::mem::take(&mut judged.samples);
    let measures = Data::measures(record.data.command()).unwrap_or_default();
    let mut claims = threshold::judge_recorded(&record.run.thresholds, &measures, &samples);
    claims.append(&mut judged.claims);
    judged.claims = claims;
    Report {
        record,
        measures: Measures::of(&record.run, samples),
        verdict: Verdict::new(&record.run, judged),
        page,
    }
}

/// What stands beside the page of a run.
const FILES: [&str; 7] = [
    "verdict.json",
    "measures.json",
    "record.json",
    "events.jsonl",
    "latency.hlog",
    "report.md",
    "junit.xml",
];

impl Report<'_> {
    /// Its page, with all that stands around it.
    #[must_use]
    pub fn document(&self) -> Document<'_> {
        let (run, page, verdict) = (&self.record.run, &self.page, &self.verdict);
        let mut facts = vec![
            Fact::new("run", headline::run(run)),
            Fact::new("on", run.environment.to_string()),
        ];
        facts.extend(headline::tables(run).map(|said| Fact::new("tables", said)));
        let skipped = verdict.skipped.iter();
        let skipped = skipped.map(|of| format!("{}: {}", of.fault, of.reason));
        let again: Vec<Again> = [again::command(run)]
            .into_iter()
            .chain(again::replay(run, page.read_files))
            .collect();
        Document {
            name: run.command.clone(),
            page: Cow::Borrowed(page),
            headline: headline::headline(verdict, &page.carried_out),
            facts,
            claims: Cow::Borrowed(&verdict.claims),
            skipped: skipped.collect(),
            again,
            details: plan::blocks(run),
            files: FILES.map(str::to_owned).to_vec(),
            exit_code: verdict.exit_code,
        }
    }
}

#[cfg(test)]
mod tests;
