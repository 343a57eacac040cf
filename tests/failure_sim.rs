//! The command as a user runs it, on a real server.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
};

use reports::Record;
use scenarios::environment::Kind;
use serde_json::Value;

use super::server::kinds;

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

fn start(out: &Path, args: &[&str]) -> Child {
    Command::new(binary())
        .args(["failure-sim", "--quick", "--seed", "7", "--out"])
        .arg(out)
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs")
}

/// A quick run of an experiment, with what it says.
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

#[test]
fn the_first_command_shows_what_six_failures_do() {
    let kind = kinds()[0];
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let output = start(folder.path(), &["--env", env(kind)])
        .wait_with_output()
        .expect("it ends");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let verdict = json(&folder.path().join("verdict.json"));
    // Whether a claim about time holds is for this machine and moment to say; that
    // nothing is lost is not, and neither is that the code is the verdict's.
    let code = output.status.code().expect("a code");
    assert!(matches!(code, 0..=2), "{code}: {stdout}{stderr}");
    assert_eq!(verdict["exit_code"], code);
    assert_eq!(verdict["ledger"]["lost"], 0);
    assert_eq!(verdict["ledger"]["duplicate"], 0);
    assert!(verdict["ledger"]["acked"].as_u64() > Some(0));
    let injections = verdict["injections"].as_array().expect("injections");
    assert_eq!(injections.len(), 12, "six faults, two arms");
    for injection in injections.iter().filter(|i| i["arm"] == "seawall") {
        assert_eq!(injection["censored"], false, "{injection}");
    }
    let mut faults = BTreeMap::new();
    for injection in injections {
        *faults.entry(injection["fault"].to_string()).or_insert(0) += 1;
    }
    assert_eq!(faults.len(), 6);

    let record = Record::load(&folder.path().join("record.json")).expect("a record");
    for injection in &record.injections {
        let ops = &injection.operations;
        assert_eq!(ops.kinds.len(), ops.outcomes.len());
        let scheduled = (injection.ended_us * u64::from(record.settings.rate_per_s)) / 1_000_000;
        let counted = ops.outcomes.len() as u64;
        assert!(
            counted.abs_diff(scheduled) <= 8,
            "{counted} of {scheduled}: some were skipped"
        );
    }
    for file in [
        "report.html",
        "report.md",
        "junit.xml",
        "events.jsonl",
        "plots/recovery.svg",
    ] {
        assert!(folder.path().join(file).is_file(), "{file}");
    }
    assert!(
        stdout.contains("CLAIMS") && stdout.contains("report.html"),
        "{stdout}"
    );
    assert!(
        stderr.contains("blackhole"),
        "progress is on stderr: {stderr}"
    );
    assert!(!stderr.contains("panicked"), "{stderr}");
}

/// Ctrl-C to a run whose stderr these are: it ends, and says that it was stopped.
pub(crate) fn interrupt(child: &mut Child, lines: impl Iterator<Item = String>) {
    let pid = child.id().to_string();
    let kill = Command::new("kill").args(["-INT", &pid]).status();
    assert!(kill.expect("kill").success());
    let rest: Vec<String> = lines.collect();
    let code = child.wait().expect("it ends").code();
    assert_eq!(code, Some(130), "{rest:?}");
}

/// Starts a run, stops it as soon as a line of its progress begins with `at`, and
/// returns how many injections it kept.
fn interrupted(kind: Kind, at: &str) -> usize {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = start(folder.path(), &["--env", env(kind)]);
    let stderr = child.stderr.take().expect("piped");
    let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
    assert!(
        lines.any(|line| line.starts_with(at)),
        "it never came to {at}"
    );
    assert!(
        left_by(child.id(), kind),
        "the check below would find nothing ever"
    );
    interrupt(&mut child, lines);
    assert!(!left_by(child.id(), kind), "something of it is still there");
    assert_eq!(json(&folder.path().join("verdict.json"))["exit_code"], 130);
    let record = Record::load(&folder.path().join("record.json")).expect("a record");
    let events = fs::read_to_string(folder.path().join("events.jsonl")).expect("events");
    for line in events.lines() {
        serde_json::from_str::<reports::record::Event>(line).expect(line);
    }
    assert!(!events.contains("not-taken-down"), "{events}");
    record.injections.len()
}

#[test]
fn interrupted_in_a_fault_it_takes_everything_down_and_keeps_what_it_measured() {
    for kind in kinds() {
        assert_eq!(interrupted(kind, "reset:"), 2, "the first fault, both arms");
    }
}

/// Once a server that had not been killed yet was started a second time.
#[test]
fn interrupted_before_a_crash_it_takes_everything_down() {
    let kind = kinds()[0];
    assert_eq!(
        interrupted(kind, "latency: over"),
        8,
        "four faults, both arms"
    );
}

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

#[test]
fn the_same_seed_draws_the_same_schedule() {
    use scenarios::catalog::failure_sim::{Options, Size, scenario};
    let plan = |seed| {
        let options = Options {
            size: Size::Quick,
            seed,
            rate_per_s: 400,
            deadline: std::time::Duration::from_millis(500),
            config: None,
            only_network_faults: false,
            plan: None,
        };
        serde_json::to_string(&scenario(&options).schedule).expect("JSON")
    };
    assert_eq!(plan(7), plan(7));
    assert_ne!(plan(7), plan(8));
}
