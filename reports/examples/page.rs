//! Writes the report of `record.json`, or of a run that was made up.
//!
//!     cargo run -p reports --example page -- DIR [RECORD]

use std::{error::Error, path::PathBuf};

#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let dir = args.next().ok_or("which directory?")?;
    let record = match args.next() {
        Some(path) => reports::Record::load(&path)?,
        None => synthetic::record(7, 3, &["bare", "guide", "seawall"]),
    };
    std::fs::create_dir_all(&dir)?;
    for plot in reports::render::plots(&record) {
        std::fs::write(dir.join(&plot.name).with_extension("svg"), plot.svg()?)?;
        plot.png(&dir.join(&plot.name).with_extension("png"))?;
    }
    Ok(())
}
