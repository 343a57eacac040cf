//! Defects that are planted in the engine, and the verdicts that have to name them.
//!
//! A handful of them, with one fault each: `scenarios-planted all` runs every one with all
//! faults, see `docs/verdicts.md`.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use super::{
    command::{self, alone, json},
    server::kinds,
};

/// The runner with an engine that can be made wrong, beside the usual one. It is built here:
/// no other test may be built with such an engine.
pub(crate) fn binary() -> PathBuf {
    let usual = command::binary();
    let folder = usual.parent().and_then(std::path::Path::parent);
    let target = folder.expect("target/<profile>");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "-p", "scenarios"])
        .args([
            "--features",
            "planted-defects",
            "--bin",
            "scenarios-planted",
        ])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(built.expect("cargo").success(), "it is built");
    usual.with_file_name("scenarios-planted")
}

/// Runs with a defect and one fault, and returns the exit code and the claims that are
/// refuted.
fn planted(binary: &PathBuf, defect: &str, fault: &str) -> (i64, Vec<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut run = Command::new(binary);
    run.args(["failure-sim", "--quick", "--quiet", "--seed", "7"])
        .args(["--fault", fault, "--env", command::env(kinds()[0]), "--out"])
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if !defect.is_empty() {
        run.env("SEAWALL_PLANTED_DEFECT", defect);
    }
    run.status().expect("it ends");
    let verdict = json(&folder.path().join("verdict.json"));
    let claims = verdict["claims"].as_array().expect("claims").iter();
    let refuted = claims.filter(|c| c["gating"] == true && c["verdict"] == "refuted");
    let named = refuted.filter_map(|c| c["id"].as_str().map(str::to_owned));
    let code = verdict["exit_code"].as_i64();
    (code.expect("a code"), named.collect())
}

#[test]
fn a_defect_of_the_engine_is_named_by_the_claim_that_it_breaks() {
    let _alone = alone();
    let binary = binary();
    let (code, named) = planted(&binary, "", "blackhole");
    assert!(
        named.is_empty() && matches!(code, 0 | 2),
        "{code}: {named:?}"
    );
    for (defect, fault, claim, expected) in [
        ("failed-reads-are-empty", "blackhole", "no-loss", 4),
        ("open-transaction-lent", "blackhole", "no-loss", 4),
        ("no-statement-timeout", "blackhole", "in-time", 1),
        ("queries-burn-1500us", "refused", "overhead-cpu", 1),
        ("queries-counted-twice", "refused", "metrics", 1),
        ("never-closes", "refused", "served-again", 1),
    ] {
        let (code, named) = planted(&binary, defect, fault);
        assert_eq!(code, expected, "{defect}: {named:?}");
        assert!(named.iter().any(|id| id == claim), "{defect}: {named:?}");
    }
}

#[test]
fn a_defect_that_there_is_not_is_refused() {
    let output = Command::new(binary())
        .args(["list", "faults"])
        .env("SEAWALL_PLANTED_DEFECT", "no-such-defect")
        .output()
        .expect("it ends");
    assert_eq!(output.status.code(), Some(64));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("no-such-defect") && said.contains("no-eviction"),
        "{said}"
    );
}
