//! The command as a user runs it: started, listened to, interrupted.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
};

use clap::Parser;
use reports::{Record, run::Event};
use scenarios::{environment::Kind, experiment::Experiment, flags::Frame};
use serde_json::Value;

/// The binary beside this test's own folder.
pub(crate) fn binary() -> PathBuf {
    let this = std::env::current_exe().expect("a path");
    let folder = this
        .parent()
        .and_then(Path::parent)
        .expect("target/<profile>");
    let binary = folder.join("scenarios");
    assert!(
        binary.is_file(),
        "{} is missing; hint: `cargo test --workspace`, or `cargo build -p scenarios` first",
        binary.display()
    );
    binary
}

pub(crate) fn env(kind: Kind) -> &'static str {
    match kind {
        Kind::Docker => "docker",
        _ => "local",
    }
}

/// One experiment at once: each measures.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A quick run of an experiment, whose outputs are read here.
pub(crate) fn experiment(name: &str, seed: &str, out: &Path, kind: Kind) -> Command {
    let mut command = Command::new(binary());
    command
        .args([name, "--quick", "--seed", seed, "--out"])
        .arg(out)
        .args(["--env", env(kind)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// All that it said.
pub(crate) fn says(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    format!("{}{stderr}", String::from_utf8_lossy(&output.stdout))
}

pub(crate) fn json(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&text).expect("JSON")
}

/// Whether a run ended as a run may on a busy machine: 2 says that the data do not settle
/// a claim about time, as `.ci/run` takes it. All else that is not 0 is a defect.
pub(crate) fn is_accepted(code: Option<i32>) -> bool {
    matches!(code, Some(0 | 2))
}

/// Plans an experiment from the flags that only it has.
pub(crate) fn planned<E: Experiment>(flags: &[&str], frame: &Frame) -> E {
    #[derive(Parser)]
    struct Typed<O: clap::Args> {
        #[command(flatten)]
        options: O,
    }
    let typed = ["scenarios"].iter().chain(flags);
    let Typed { options } = Typed::<E::Options>::parse_from(typed);
    let (experiment, _remarks) = E::plan(&options, frame).expect("a plan");
    experiment
}

/// A signal to stop, to a run whose stderr these are: it ends, and says that it was stopped.
pub(crate) fn interrupt(child: &mut Child, lines: impl Iterator<Item = String>) {
    let pid = child.id().to_string();
    let kill = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(kill.expect("kill").success());
    let rest: Vec<String> = lines.collect();
    let code = child.wait().expect("it ends").code();
    assert_eq!(code, Some(130), "{rest:?}");
}

/// Starts a quick run, interrupts it once `begun` says so of a line of its progress, and
/// returns what it kept. Nothing of it is left behind, and its files can be read.
pub(crate) fn interrupted(
    mut command: Command,
    out: &Path,
    kind: Kind,
    begun: impl FnMut(&String) -> bool,
) -> Record {
    let _alone = alone();
    let mut child = command.spawn().expect("it runs");
    let stderr = child.stderr.take().expect("piped");
    let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
    let mut seen = lines.by_ref().filter(begun);
    assert!(seen.next().is_some(), "it never came so far");
    drop(seen);
    assert!(
        left_by(child.id(), kind),
        "the check below would find nothing ever"
    );
    interrupt(&mut child, lines);
    assert!(!left_by(child.id(), kind), "something of it is still there");
    assert_eq!(json(&out.join("verdict.json"))["exit_code"], 130);
    let events = fs::read_to_string(out.join("events.jsonl")).expect("events");
    for line in events.lines() {
        serde_json::from_str::<Event>(line).expect(line);
    }
    assert!(!events.contains("not-taken-down"), "{events}");
    Record::load(&out.join("record.json")).expect("a record")
}

/// Whether something of a run is still there: its container, its processes, its folder.
pub(crate) fn left_by(runner: u32, kind: Kind) -> bool {
    match kind {
        Kind::Docker => {
            let label = format!("label=dev.seawall.runner-pid={runner}");
            let args = ["ps", "--all", "--quiet", "--filter", &label];
            let output = Command::new("docker").args(args).output().expect("docker");
            !output.stdout.is_empty()
        }
        // The folder of its server, and every process that was started in it.
        _ => {
            let ours = format!("seawall-postgres-{runner}-");
            let folders = fs::read_dir(std::env::temp_dir()).expect("a folder");
            let processes = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
            let started = processes
                .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
                .any(|cmdline| String::from_utf8_lossy(&cmdline).contains(&ours));
            started
                || folders
                    .filter_map(Result::ok)
                    .any(|entry| entry.file_name().to_string_lossy().starts_with(&ours))
        }
    }
}
