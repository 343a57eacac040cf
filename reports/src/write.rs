//! The files that follow from a record, or from any document.

use std::{collections::BTreeMap, fs, io, path::Path};

use crate::{
    Report, Verdict,
    page::Document,
    plot::{Plot, PlotError},
    record::{RecordError, whole},
    render,
};

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// A file or folder could not be written.
    #[error("{path} could not be written")]
    Io {
        /// The file or folder.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// `verdict.json` could not be written.
    #[error("the verdict could not be written")]
    Verdict(#[source] RecordError),
    /// `measures.json` could not be written.
    #[error("the measures could not be written")]
    Measures(#[source] RecordError),
    /// A picture could not be painted.
    #[error("a plot could not be drawn")]
    Plot(#[source] PlotError),
    /// `junit.xml` could not be made.
    #[error("junit.xml could not be made")]
    Junit(#[source] quick_junit::SerializeError),
}

/// Writes, into `dir`, all that follows from a record: `verdict.json`, `measures.json`, `junit.xml`, and
/// what
/// [`write_document`] does. The verdict comes before those, so that it is there whatever happens to a
/// picture. `record.json` is not written: it is what all of this is made from.
///
/// # Errors
/// If a file cannot be written; those before it are.
pub fn write(report: &Report<'_>, dir: &Path) -> Result<(), WriteError> {
    folder(dir)?;
    report
        .measures
        .save(&dir.join("measures.json"))
        .map_err(WriteError::Measures)?;
    write_judged(&report.verdict, &report.document(), dir)
}

/// Writes, into `dir`, `verdict.json`, `junit.xml`, and what [`write_document`] does.
///
/// # Errors
/// If a file cannot be written; those before it are.
pub fn write_judged(
    verdict: &Verdict,
    document: &Document<'_>,
    dir: &Path,
) -> Result<(), WriteError> {
    folder(dir)?;
    verdict
        .save(&dir.join("verdict.json"))
        .map_err(WriteError::Verdict)?;
    let junit = render::junit(verdict).map_err(WriteError::Junit)?;
    file(&dir.join("junit.xml"), &junit)?;
    write_document(document, dir)
}

/// Writes a document into `dir`: `report.html`, `report.md`, the files that the page has for
/// its reader, and `plots/`.
///
/// # Errors
/// If a file cannot be written; those before it are.
pub fn write_document(document: &Document<'_>, dir: &Path) -> Result<(), WriteError> {
    let plots = dir.join("plots");
    folder(&plots)?;
    file(&dir.join("report.md"), &render::markdown(document))?;
    for of_user in &document.page.files {
        file(&dir.join(&of_user.name), &of_user.text)?;
    }
    let mut drawings = BTreeMap::new();
    for plot in document.page.plots() {
        let svg = plot.svg().map_err(WriteError::Plot)?;
        file(&plots.join(format!("{}.svg", plot.name)), &svg)?;
        drawings.insert(&plot.name, svg);
    }
    let drawn = |plot: &Plot| drawings.get(&plot.name).cloned().unwrap_or_default();
    file(&dir.join("report.html"), &render::html(document, &drawn))?;
    for plot in document.page.plots() {
        let path = plots.join(format!("{}.png", plot.name));
        plot.png(&path).map_err(|error| {
            // Half a picture is none.
            let _unless_gone = fs::remove_file(&path);
            WriteError::Plot(error)
        })?;
    }
    Ok(())
}

fn folder(path: &Path) -> Result<(), WriteError> {
    fs::create_dir_all(path).map_err(|source| WriteError::Io {
        path: path.display().to_string(),
        source,
    })
}

fn file(path: &Path, text: &str) -> Result<(), WriteError> {
    whole(path, text.as_bytes()).map_err(|source| WriteError::Io {
        path: path.display().to_string(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Record, Verdict, judge, synthetic};

    fn written(name: &str, record: &Record) -> Vec<String> {
        let dir = std::env::temp_dir().join(format!("reports-{}-{name}", std::process::id()));
        let report = judge(record);
        write(&report, &dir).unwrap();
        let text = fs::read(dir.join("verdict.json")).unwrap();
        assert_eq!(
            serde_json::from_slice::<Verdict>(&text).unwrap(),
            report.verdict
        );
        for (file, start) in [
            ("report.html", "<!DOCTYPE html>"),
            ("report.md", "# "),
            ("junit.xml", "<?xml"),
        ] {
            let text = fs::read_to_string(dir.join(file)).unwrap();
            assert!(text.starts_with(start), "{file}");
        }
        let mut plots: Vec<String> = fs::read_dir(dir.join("plots"))
            .unwrap()
            .map(|entry| entry.unwrap())
            .inspect(|entry| assert!(entry.metadata().unwrap().len() > 1_000))
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        plots.sort();
        fs::remove_dir_all(&dir).unwrap();
        plots
    }

    #[test]
    fn all_files_of_a_run() {
        let plots = written("all", &synthetic::record(7, 1, &["bare", "seawall"]));
        let mut expected: Vec<String> = ["recovery"]
            .into_iter()
            .chain(synthetic::FAULTS.map(synthetic::Fault::name))
            .flat_map(|name| [format!("{name}.png"), format!("{name}.svg")])
            .collect();
        expected.sort();
        assert_eq!(plots, expected);
    }

    #[test]
    fn whatever_there_is_of_a_run() {
        let record = synthetic::record(7, 1, &["bare", "guide", "seawall"]);
        for (injections, plots) in [(0, 0), (1, 2), (4, 6)] {
            let part = synthetic::interrupted_after(injections, record.clone());
            assert_eq!(written(&format!("part-{injections}"), &part).len(), plots);
        }
        written("guide", &synthetic::record(7, 1, &["guide"]));
        written("none", &synthetic::record(7, 0, &[]));
    }

    #[test]
    fn all_files_of_a_sweep_of_batch_sizes() {
        let plots = written("batches", &synthetic::usual_batches());
        assert_eq!(plots.len(), 8);
        assert!(plots.contains(&"speedup-joins.png".to_owned()), "{plots:?}");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let record = synthetic::record(7, 0, &[]);
        let error = write(&judge(&record), Path::new("/dev/null/x")).unwrap_err();
        assert_eq!(error.to_string(), "/dev/null/x could not be written");
    }
}
