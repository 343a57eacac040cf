//! The runner where it is treated badly: started twice at once, hung up on, stopped, and
//! without room for its results.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use super::{
    command::{alone, binary, env, is_accepted, json, left_by, says},
    server::kinds,
};

/// As short a run as there is: one fault, and few operations.
const SHORT: [&str; 7] = [
    "failure-sim",
    "--quick",
    "--seed",
    "7",
    "--rate",
    "40",
    "--fault=refused,length_ms=600",
];

fn short() -> Command {
    let mut command = Command::new(binary());
    command
        .args(SHORT)
        .args(["--env", env(kinds()[0])])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    let kill = Command::new("kill").args([name, &pid]).status();
    assert!(kill.expect("kill").success());
}

/// Waits for a line of its progress that begins so.
fn until(child: &mut Child, begins: &str) -> impl Iterator<Item = String> + use<> {
    let stderr = child.stderr.take().expect("piped");
    let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with(begins)), "no {begins}");
    lines
}

#[test]
fn two_runs_of_one_second_have_a_folder_each() {
    let _alone = alone();
    let here = tempfile::tempdir().expect("a folder");
    let start = || short().current_dir(here.path()).spawn().expect("it runs");
    let runs = [start(), start()];
    for run in runs {
        let output = run.wait_with_output().expect("it ends");
        assert!(is_accepted(output.status.code()), "{}", says(&output));
    }
    let folders = fs::read_dir(here.path().join("reports/runs")).expect("runs");
    let folders: Vec<PathBuf> = folders
        .map(|entry| entry.expect("an entry").path())
        .collect();
    let of_runs = folders.iter().filter(|path| !path.ends_with("latest"));
    assert_eq!(of_runs.clone().count(), 2, "{folders:?}");
    for folder in of_runs {
        let verdict = json(&folder.join("verdict.json"));
        let injections = verdict["injections"].as_array().expect("injections");
        assert_eq!(injections.len(), 3, "one fault, three arms: {folder:?}");
    }
}

/// `nohup` starts it with SIGHUP ignored; so does a terminal that is closed send it.
#[test]
fn a_hang_up_that_is_ignored_from_the_start_stays_ignored() {
    let _alone = alone();
    let out = tempfile::tempdir().expect("a folder");
    let mut child = Command::new("sh")
        .args(["-c", "trap '' HUP; exec \"$@\"", "sh"])
        .arg(binary())
        .args(SHORT)
        .args(["--env", env(kinds()[0]), "--out"])
        .arg(out.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let rest = until(&mut child, "refused:");
    signal(&child, "-HUP");
    let rest: Vec<String> = rest.collect();
    let code = child.wait().expect("it ends").code();
    assert!(is_accepted(code), "{code:?}: {rest:?}");

    let mut child = short()
        .arg("--out")
        .arg(out.path())
        .spawn()
        .expect("it runs");
    let rest = until(&mut child, "refused:");
    signal(&child, "-HUP");
    let rest: Vec<String> = rest.collect();
    let code = child.wait().expect("it ends").code();
    assert_eq!(code, Some(130), "it is heeded otherwise: {rest:?}");
}

/// The arms were charged with the three seconds in which nobody drove them.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "for how long the runner stands still is what the test is about"
)]
fn a_runner_that_was_stopped_accuses_nobody() {
    let _alone = alone();
    let out = tempfile::tempdir().expect("a folder");
    let command = &mut short();
    let mut child = command
        .arg("--out")
        .arg(out.path())
        .spawn()
        .expect("it runs");
    let rest = until(&mut child, "refused: over");
    signal(&child, "-STOP");
    thread::sleep(Duration::from_secs(3));
    signal(&child, "-CONT");
    let rest: Vec<String> = rest.collect();
    let code = child.wait().expect("it ends").code();
    assert_eq!(code, Some(2), "{rest:?}");
    let verdict = json(&out.path().join("verdict.json"));
    let claims = verdict["claims"].as_array().expect("claims");
    for claim in claims.iter().filter(|claim| claim["unit"] == "s") {
        assert_eq!(claim["verdict"], "inconclusive", "{claim}");
        let reason = claim["reason"].as_str().expect("a reason");
        assert!(
            reason.contains("load generator itself stood still"),
            "{claim}"
        );
    }
    assert!(verdict["injections"][0]["stalled_s"].as_f64() > Some(1.0));
}

/// A file system of its own, which is taken away again.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder.path())
            .status();
        assert!(
            mounted.is_ok_and(|status| status.success()),
            "no small disk can be mounted; hint: run the tests as root"
        );
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

#[test]
fn what_cannot_be_written_is_still_printed() {
    let _alone = alone();
    let disk = SmallDisk::mount("24k");
    let out = disk.path().join("run");
    let child = short().arg("--out").arg(&out).spawn().expect("it runs");
    let runner = child.id();
    let output = child.wait_with_output().expect("it ends");
    let said = says(&output);
    assert_eq!(output.status.code(), Some(74), "{said}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        stdout.contains("CLAIMS") && stdout.contains("FAULTS"),
        "{said}"
    );
    assert!(said.contains("not written: "), "{said}");
    assert!(
        !left_by(runner, kinds()[0]),
        "something of it is still there"
    );
    for entry in fs::read_dir(&out).expect("a folder") {
        let path = entry.expect("an entry").path();
        assert!(path.extension().is_none_or(|e| e != "part"), "{path:?}");
        if path.extension().is_some_and(|e| e == "json") {
            json(&path);
        }
    }
}
