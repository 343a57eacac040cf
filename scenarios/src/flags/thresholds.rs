//! Bounds of the user's on what a run measures.

use clap::Args;
use reports::{sample::Measure, threshold::Threshold};

use super::CliError;

#[derive(Debug, Clone, Default, Args)]
#[expect(
    missing_docs,
    reason = "clap would show it as the purpose of every command"
)]
pub struct ThresholdArgs {
    /// Fail unless it holds, as in 'recovery.p95 < 2s' or 'latency.p99{phase=before} < 20ms'; `scenarios list measures` lists what there is
    #[arg(long = "threshold", value_name = "EXPR")]
    thresholds: Vec<String>,
}

impl ThresholdArgs {
    /// The thresholds as they were typed, if each is one on one of these measures.
    ///
    /// # Errors
    /// What is wrong with the first that is none, and in which column.
    pub fn checked(&self, measures: &[Measure]) -> Result<Vec<String>, CliError> {
        let parsed = self.thresholds.iter().map(|text| {
            let parsed = Threshold::parse(text, measures)?;
            Ok(parsed.text)
        });
        parsed.collect()
    }
}
