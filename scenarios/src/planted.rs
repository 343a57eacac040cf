//! The `scenarios` command with an engine that is wrong on purpose, as the environment
//! variable `SEAWALL_PLANTED_DEFECT` asks for.
//!
//! `scenarios-planted all ARGUMENTS` runs the command with these arguments once with every
//! defect, and once with none: it prints which claims name the defect, as a table in
//! Markdown, and fails if a defect that has to be named is not, or something is named where
//! nothing is wrong. A defect that other parts of the engine make up for is run and told of,
//! and decides nothing.

use std::{
    error::Error,
    io,
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::Duration,
};

use reports::{Verdict, claim::Decision, verdict::exit};
use seawall::{
    clock,
    planted::{self, Defect},
};

/// What a caller does not notice with the settings that we ship, because another part of
/// the engine does the same work, or none of this run's callers comes that way:
/// `docs/verdicts.md` says which.
const MADE_UP_FOR: [Defect; 6] = [
    Defect::WaitersNotRefused,
    Defect::ConnectsWithoutRamp,
    Defect::HalfOpenAdmitsAll,
    Defect::ProbeIgnoresRole,
    Defect::PipelineRepeatsDoubtful,
    Defect::PipelineOneByOne,
];

/// What only callers notice that are refused, which those of the shipped settings are not while
/// they can wait: run with this configuration.
const OF_REFUSALS: [Defect; 2] = [Defect::SlowRefusals, Defect::WaitersNotRefused];
const REFUSES: &str = "circuit_breaker_when_open = \"refuse\"\n";

/// Longest wait for one run: some defects make it hang.
const PATIENCE: Duration = Duration::from_secs(600);

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("all") {
        return all(&arguments.collect::<Vec<_>>());
    }
    let said = match planted::chosen() {
        Ok(Some(defect)) => format!("planted: {}: {}", defect.name(), defect.about()),
        Ok(None) => format!("planted: nothing ({} is not set)", planted::VARIABLE),
        Err(unknown) => {
            say(&mut io::stderr(), &format!("error: {unknown}"));
            return ExitCode::from(64);
        }
    };
    say(&mut io::stderr(), &said);
    scenarios::command::main()
}

/// Whoever reads nothing there sees that it failed.
fn say(to: &mut impl io::Write, text: &str) {
    let _unread = writeln!(to, "{text}");
}

/// Runs with none, and with every defect.
fn all(arguments: &[String]) -> ExitCode {
    let mut out = io::stdout();
    say(
        &mut out,
        "| planted | exit | named by |\n| --- | --- | --- |",
    );
    let mut wrong = Vec::new();
    let defects = Defect::ALL.iter().copied().map(Some);
    for defect in [None].into_iter().chain(defects) {
        let name = defect.map_or("nothing", Defect::name);
        match run(defect, arguments) {
            Ok((code, named)) => {
                let row = format!("| {name} | {code} | {} |", named.join(", "));
                say(&mut out, &row);
                let is_named = matches!(code, exit::REFUTED | exit::DATA_LOST);
                let as_it_must = match defect {
                    None => !is_named,
                    Some(defect) => is_named || MADE_UP_FOR.contains(&defect),
                };
                if !as_it_must {
                    wrong.push(name);
                }
            }
            Err(error) => {
                say(&mut out, &format!("| {name} | none | {error} |"));
                wrong.push(name);
            }
        }
    }
    if wrong.is_empty() {
        return ExitCode::SUCCESS;
    }
    let said = format!("not as it must be: {}", wrong.join(", "));
    say(&mut io::stderr(), &said);
    ExitCode::FAILURE
}

/// The exit code of the verdict, and the claims that are refuted.
fn run(defect: Option<Defect>, arguments: &[String]) -> Result<(u8, Vec<String>), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(arguments)
        .args(["--quiet", "--out"])
        .arg(folder.path().join("run"))
        .env_remove(planted::VARIABLE)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Some(defect) = defect {
        command.env(planted::VARIABLE, defect.name());
    }
    let refuses = folder.path().join("refuses.toml");
    if defect.is_some_and(|defect| OF_REFUSALS.contains(&defect)) {
        std::fs::write(&refuses, REFUSES)?;
        command.arg("--config").arg(&refuses);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut child = tokio::process::Command::from(command).spawn()?;
        let ended = clock::timeout_at(clock::now() + PATIENCE, child.wait()).await;
        match ended {
            Ok(status) => status.map(drop).map_err(Box::<dyn Error>::from),
            Err(clock::Elapsed) => {
                child.kill().await?;
                Err(format!("killed after {} s", PATIENCE.as_secs()).into())
            }
        }
    })?;
    let verdict = read(&folder.path().join("run/verdict.json"))?;
    let gating = verdict.claims.into_iter().filter(|claim| claim.gating);
    let refuted = gating.filter(|claim| claim.is(Decision::Refuted));
    Ok((verdict.exit_code, refuted.map(|claim| claim.id).collect()))
}

fn read(verdict: &Path) -> Result<Verdict, Box<dyn Error>> {
    Ok(serde_json::from_slice(&std::fs::read(verdict)?)?)
}
