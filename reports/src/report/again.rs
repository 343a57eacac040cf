//! The commands that do the same run again, to be pasted into a shell.

use std::borrow::Cow;

use crate::{
    page::{Again, quoted},
    run::Run,
};

/// The same command, with its arguments.
pub(super) fn command(run: &Run) -> Again {
    let typed = [&run.command].into_iter().chain(&run.arguments);
    let words: Vec<Cow<'_, str>> = typed.map(|word| quoted(word)).collect();
    Again {
        command: format!("cargo run -p scenarios -- {}", words.join(" ")),
        ..Again::default()
    }
}

/// Flags that say what fills a database. What that is does not stand in the record.
const FILLS: [&str; 2] = ["--schema", "--setup"];

/// The same run without the files that were read: their text is in the record, but for what
/// fills a database. `None` if none was.
pub(super) fn replay(run: &Run, read_files: bool) -> Option<Again> {
    let configured = run.arguments.iter().any(|argument| {
        let name = argument.split('=').next();
        name == Some("--config")
    });
    let read = run.plan.is_some() || read_files || configured;
    read.then(|| {
        let mut command = "cargo run -p scenarios -- replay".to_owned();
        let pairs = run.arguments.iter().zip(run.arguments.iter().skip(1));
        for (flag, value) in pairs.filter(|(flag, _)| FILLS.contains(&flag.as_str())) {
            command += &format!(" {flag} {}", quoted(value));
        }
        Again {
            purpose: "Or, without the files that it read, from the folder of this run:".to_owned(),
            command,
            of_folder: true,
        }
    })
}
