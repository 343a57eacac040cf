//! Writes the report of `record.json`, or of a run that was made up: of failures, or
//! of batch sizes.
//!
//!     cargo run -p reports --example page -- DIR [RECORD | batch-sweep]

use std::{error::Error, io::Write, path::PathBuf};

#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let dir = args.next().ok_or("which directory?")?;
    let record = match args.next() {
        Some(path) if path.as_os_str() == "batch-sweep" => synthetic::usual_batches(),
        Some(path) => reports::Record::load(&path)?,
        None => synthetic::record(7, 1, &["bare", "seawall"]),
    };
    let report = reports::judge(&record);
    reports::write(&report, &dir)?;
    record.save(&dir.join("record.json"))?;
    let width = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok());
    let width = width.unwrap_or(reports::render::USUAL);
    let summary = reports::render::terminal(&report.document(), &dir, false, width);
    std::io::stdout().write_all(summary.as_bytes())?;
    Ok(())
}
