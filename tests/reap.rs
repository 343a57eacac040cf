//! What a run that got SIGKILL left goes, and nothing else.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use scenarios::environment::Kind;
use seawall::clock;
use serde_json::Value;

use super::{command::binary, server};

/// A runner whose end is not waited for by anything else; killed with the test.
struct Runner {
    child: Child,
    _out: tempfile::TempDir,
}

impl Runner {
    /// Starts a run and waits until a line of its progress begins with `at`.
    fn start(env: &str, temporary: &Path, at: &str) -> Self {
        let out = tempfile::tempdir().expect("a folder");
        let mut child = Command::new(binary())
            .args([
                "failure-sim",
                "--quick",
                "--seed",
                "7",
                // Little, since other tests measure beside this one.
                "--rate",
                "100",
                "--env",
                env,
                "--out",
            ])
            .arg(out.path())
            .env("TMPDIR", temporary)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let stderr = child.stderr.take().expect("piped");
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let mut said = Vec::new();
        let come = lines.by_ref().any(|line| {
            said.push(line);
            said[said.len() - 1].starts_with(at)
        });
        assert!(come, "it never came to {at}: {said:?}");
        // Whoever reads no more must not stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, _out: out }
    }

    fn end(&mut self, signal: &str) -> Option<i32> {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.expect("kill").success());
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

fn scenarios(temporary: &Path, args: &[&str]) -> Output {
    Command::new(binary())
        .args(args)
        .env("TMPDIR", temporary)
        .output()
        .expect("it runs")
}

/// Reaps, and returns what it printed.
fn reap(temporary: &Path, args: &[&str]) -> String {
    let output = scenarios(temporary, &[&["reap"], args].concat());
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
    stdout
}

/// A temporary folder that the server's user may enter.
fn temporary() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("set");
    let path = fs::canonicalize(folder.path()).expect("a path");
    (folder, path)
}

fn home_of(temporary: &Path, runner: &Runner) -> PathBuf {
    let prefix = format!("seawall-postgres-{}-", runner.child.id());
    let mut entries = fs::read_dir(temporary)
        .expect("a folder")
        .map(|e| e.expect("an entry"));
    let home = entries.find(|entry| entry.file_name().to_string_lossy().starts_with(&prefix));
    home.expect("the folder of its server").path()
}

/// Processes in a folder, with their state.
fn processes_in(folder: &Path) -> BTreeMap<u32, char> {
    let entries = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let cwd = fs::read_link(entry.path().join("cwd")).ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let state = stat.rsplit_once(") ")?.1.chars().next()?;
            (cwd.starts_with(folder) && state != 'Z').then_some((pid, state))
        })
        .collect()
}

async fn until(what: &str, done: impl Fn() -> bool) {
    let deadline = clock::now() + Duration::from_secs(10);
    while !done() {
        assert!(clock::now() < deadline, "waited in vain until {what}");
        clock::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_a_killed_run_goes_and_that_of_a_live_one_stays() {
    if !server::kinds().contains(&Kind::Local) {
        return;
    }
    let (_folder, temporary) = temporary();
    let mut killed = Runner::start("local", &temporary, "pause:");
    let home = home_of(&temporary, &killed);
    until("its server is stopped", || {
        let processes = processes_in(&home);
        processes.len() > 3 && processes.values().all(|state| *state == 'T')
    })
    .await;
    killed.end("-KILL");

    let mut alive = Runner::start("local", &temporary, "PostgreSQL ");
    let theirs = home_of(&temporary, &alive);
    let similar = temporary.join("seawall-postgres-mine");
    fs::create_dir(&similar).expect("made");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "tmpfs"])
        .arg(home.join("data/pg_stat"))
        .status()
        .is_ok_and(|status| status.success());
    // Of the server's user, who is having a look.
    let owner = fs::metadata(&home).expect("a folder").uid();
    let mut shell = Command::new("sleep")
        .arg("60")
        .uid(owner)
        .current_dir(&home)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let postmaster = |folder: &Path| {
        let pid_file = fs::read_to_string(folder.join("data/postmaster.pid")).expect("it runs");
        pid_file
            .lines()
            .next()
            .expect("a line")
            .parse::<u32>()
            .expect("a number")
    };
    let left = processes_in(&home);
    assert!(left.len() > 1, "nothing is left to be reaped: {left:?}");
    let serving = postmaster(&theirs);

    let doctor = scenarios(&temporary, &["doctor", "--env", "local"]);
    let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(
        doctor.contains("left    1 of runs that were killed"),
        "{doctor}"
    );

    let dry = reap(&temporary, &["--env", "local", "--dry-run"]);
    assert!(
        dry.contains(&format!("would remove server {}", home.display())),
        "{dry}"
    );
    let still = processes_in(&home);
    assert!(
        still.keys().eq(left.keys()),
        "a dry run only says: {still:?}"
    );
    assert!(home.exists());

    let text = reap(&temporary, &["--env", "local", "--format", "json"]);
    let json: Value = serde_json::from_str(&text).expect("JSON");
    let things = json["things"].as_array().expect("things");
    let thing = |path: &Path| {
        let named = things
            .iter()
            .find(|thing| thing["name"] == path.display().to_string());
        named.unwrap_or_else(|| panic!("{} is not named: {text}", path.display()))
    };
    assert_eq!(thing(&home)["outcome"], "removed");
    assert_eq!(thing(&theirs)["outcome"], "left-alone");
    assert_eq!(things.len(), 2, "{text}");
    let mounts = thing(&home)["mounts"].as_array().expect("mounts").len();
    assert_eq!(mounts, usize::from(mounted), "{text}");

    let memory = thing(&home)["memory"].to_string();
    assert!(
        memory.contains("/dev/shm/PostgreSQL.") && memory.contains("segment "),
        "{text}"
    );
    assert_eq!(processes_in(&home).len(), 0);
    assert!(
        shell.try_wait().expect("a child").is_none(),
        "it was no server"
    );
    assert!(!home.exists() && similar.exists());
    let table = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    assert!(!table.contains(&home.display().to_string()), "{table}");
    assert_eq!(postmaster(&theirs), serving);
    assert!(processes_in(&theirs).contains_key(&serving));

    let again = reap(&temporary, &["--env", "local"]);
    assert!(
        again.contains("left alone") && again.contains("nothing to reap"),
        "{again}"
    );
    shell.kill().expect("killed");
    shell.wait().expect("it ends");
    assert_eq!(alive.end("-TERM"), Some(130));
    assert_eq!(reap(&temporary, &["--env", "local"]), "nothing to reap\n");
}

/// Killed while initdb is at it, which nothing tells that its parent is gone.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_only_being_made_goes_too() {
    if !server::kinds().contains(&Kind::Local) {
        return;
    }
    let (_folder, temporary) = temporary();
    let mut killed = Runner::start("local", &temporary, "starting PostgreSQL");
    until("initdb is at it", || {
        let homes = fs::read_dir(&temporary)
            .expect("a folder")
            .filter_map(Result::ok);
        homes
            .into_iter()
            .any(|home| processes_in(&home.path()).len() > 1)
    })
    .await;
    let home = home_of(&temporary, &killed);
    killed.end("-KILL");
    let text = reap(&temporary, &["--env", "local"]);
    assert!(
        text.starts_with(&format!("removed      server {}", home.display())),
        "{text}"
    );
    assert!(!home.exists() && processes_in(&home).is_empty());
}

fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().expect("docker");
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Removed with the test, however it ends.
struct Foreign(String);

impl Drop for Foreign {
    fn drop(&mut self) {
        let args = ["rm", "-f", "-v", &self.0];
        let _removed = Command::new("docker").args(args).output();
    }
}

fn containers_of(pid: u32) -> String {
    let label = format!("label=dev.seawall.runner-pid={pid}");
    docker(&["ps", "--all", "--quiet", "--filter", &label])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_of_a_killed_run_goes_and_those_of_others_stay() {
    if !server::kinds().contains(&Kind::Docker) {
        return;
    }
    let (_folder, temporary) = temporary();
    let mut killed = Runner::start("docker", &temporary, "pause:");
    let pid = killed.child.id();
    let id = containers_of(pid);
    until("it is paused", || {
        docker(&["inspect", "-f", "{{.State.Paused}}", &id]) == "true"
    })
    .await;
    killed.end("-KILL");
    let (alive, _place) = server::start(Kind::Docker).await;
    let ours = containers_of(std::process::id());
    assert!(!ours.is_empty());

    // The same lease from a machine that was started another time.
    let label = |id: &str, name: &str| {
        docker(&[
            "inspect",
            "-f",
            &format!("{{{{index .Config.Labels {name:?}}}}}"),
            id,
        ])
    };
    let lease = label(&id, "dev.seawall.lease");
    assert!(lease.contains(&format!("pid={pid} ")), "{lease}");
    let foreign_lease = format!("dev.seawall.lease={}", lease.replace("boot=", "boot=0"));
    let image = docker(&["inspect", "-f", "{{.Image}}", &id]);
    let foreign = docker(&[
        "create",
        "--label",
        "dev.seawall.runner-pid=1",
        "--label",
        &foreign_lease,
        &image,
    ]);
    let foreign = Foreign(foreign[..12].to_owned());
    let foreign = &foreign.0;
    let volumes = docker(&["inspect", "-f", "{{range .Mounts}}{{.Name}} {{end}}", &id]);

    let dry = reap(&temporary, &["--env", "docker", "--dry-run"]);
    let still_there = containers_of(pid) == id;
    let text = reap(&temporary, &["--env", "docker"]);
    let left = containers_of(pid);
    let foreign_stays = !docker(&["ps", "-aq", "--filter", &format!("id={foreign}")]).is_empty();

    assert!(
        dry.contains(&format!("would remove container {id}")) && still_there,
        "{dry}"
    );
    assert!(
        text.contains(&format!("removed      container {id}")),
        "{text}"
    );
    assert_eq!(left, "");
    assert!(foreign_stays, "{text}");
    let by_hand = format!("docker rm -f -v {foreign}");
    assert!(
        text.contains("another boot") && text.contains(&by_hand),
        "{text}"
    );
    for id in ours.lines() {
        assert!(
            text.contains(&format!("left alone   container {id}")),
            "{text}"
        );
    }
    let remaining = docker(&["volume", "ls", "--quiet"]);
    for volume in volumes.split_whitespace() {
        assert!(!remaining.contains(volume), "{volume}");
    }
    alive.stop().await.expect("it was left alone");
}

#[test]
fn without_a_docker_engine_there_is_nothing_to_look_at() {
    let (_folder, temporary) = temporary();
    let run = |args: &[&str]| {
        let mut command = Command::new(binary());
        command.args(args).env("TMPDIR", &temporary);
        let output = command.env("DOCKER_HOST", "unix:///nowhere.sock").output();
        let output = output.expect("it runs");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    let (code, text) = run(&["reap"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.starts_with("nothing to reap\nnot looked at containers: no Docker engine"),
        "{text}"
    );
    let (code, text) = run(&["reap", "--env", "docker"]);
    assert_eq!(code, Some(70), "{text}");
    assert!(
        text.starts_with("not seen     containers: no Docker engine"),
        "{text}"
    );
}
