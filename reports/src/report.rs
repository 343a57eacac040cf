//! A record with all that follows from it, before it has a form.

use crate::{
    Data, Record, Verdict,
    page::{self, Page},
    sample::Measured,
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
    pub measured: Measured,
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
        measured: Measured::of(&record.run, samples),
        verdict: Verdict::new(&record.run, judged),
        page,
    }
}
