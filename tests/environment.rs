//! Servers start, are killed and paused, and leave nothing behind.

use std::{fs, future::pending, path::PathBuf, process::Command, time::Duration};

use scenarios::{
    environment::{Environment, EnvironmentError, Kind, Needs, Session, Shutdown, Wanted},
    faults::probe::{Look, Met, probe},
};
use seawall::clock;

use super::server::{self, kinds, start, wanted};

const PATIENCE: Duration = Duration::from_millis(500);

async fn meets(environment: &Environment, wanted: &[Met]) {
    let deadline = clock::now() + Duration::from_secs(30);
    loop {
        let met = probe(environment.endpoint(), &Look::Start, PATIENCE)
            .await
            .met;
        if wanted.contains(&met) {
            return;
        }
        assert!(clock::now() < deadline, "wanted {wanted:?}, still {met:?}");
        clock::sleep(Duration::from_millis(10)).await;
    }
}

async fn session(environment: &Environment) -> Session {
    let deadline = clock::now() + Duration::from_secs(10);
    let session = environment.endpoint().session(deadline).await;
    session.expect("a session")
}

async fn one(environment: &Environment) -> i32 {
    ask(&session(environment).await).await
}

async fn ask(session: &Session) -> i32 {
    session
        .client
        .query_one("SELECT 1", &[])
        .await
        .expect("an answer")
        .get(0)
}

/// What of ours is there: processes and folders, or containers.
fn leftovers(environment: &Environment) -> Leftovers {
    let port = environment.endpoint().port;
    match environment.kind() {
        "local" => Leftovers::Processes(port),
        _ => Leftovers::Containers(port),
    }
}

enum Leftovers {
    Processes(u16),
    Containers(u16),
}

impl Leftovers {
    fn count(&self) -> usize {
        match self {
            Self::Processes(port) => {
                let ours = format!("-cport={port}");
                let processes = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
                processes
                    .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
                    .filter(|cmdline| String::from_utf8_lossy(cmdline).contains(&ours))
                    .count()
            }
            Self::Containers(port) => {
                let output = Command::new("docker")
                    .args(["ps", "--all", "--quiet", "--filter"])
                    .arg(format!("publish={port}"))
                    .output()
                    .expect("docker");
                assert!(output.status.success(), "{output:?}");
                output
                    .stdout
                    .split(|b| *b == b'\n')
                    .filter(|l| !l.is_empty())
                    .count()
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_killed_and_paused_and_comes_back_and_leaves_nothing() {
    for kind in kinds() {
        let (server, _place) = start(kind).await;
        let leftovers = leftovers(&server);
        assert_eq!(one(&server).await, 1);
        assert!(
            server
                .server_version()
                .starts_with(|c: char| c.is_ascii_digit())
        );
        assert!(leftovers.count() > 0, "the check would find nothing ever");

        server.shut_down(Shutdown::Kill).await.expect("killed");
        meets(&server, &[Met::Refused, Met::Reset]).await;
        server.restart().await.expect("started again");
        meets(&server, &[Met::Ready]).await;
        assert_eq!(one(&server).await, 1, "on the same port");

        server.pause().await.expect("paused");
        meets(&server, &[Met::NoAnswer]).await;
        server.resume().await.expect("resumed");
        meets(&server, &[Met::Ready]).await;
        assert_eq!(one(&server).await, 1);

        for how in [Shutdown::Fast, Shutdown::Immediate] {
            server.shut_down(how).await.expect("shut down");
            meets(&server, &[Met::Refused, Met::Reset]).await;
            server.shut_down(how).await.expect("nothing to do");
            server.restart().await.expect("started again");
            meets(&server, &[Met::Ready]).await;
        }

        let before = session(&server).await;
        server.pause_postmaster().await.expect("paused");
        meets(&server, &[Met::NoAnswer]).await;
        assert_eq!(ask(&before).await, 1, "sessions live");
        server.resume().await.expect("resumed");
        meets(&server, &[Met::Ready]).await;

        if server.cannot(Needs::Container).is_none() {
            server.disconnect().await.expect("disconnected");
            meets(&server, &[Met::Refused, Met::Reset, Met::NoAnswer]).await;
            server.connect().await.expect("connected");
            server.connect().await.expect("nothing to do");
            meets(&server, &[Met::Ready]).await;
            assert_eq!(one(&server).await, 1, "on the same port");
        }

        let endpoint = server.endpoint().clone();
        server.stop().await.expect("stopped");
        assert_eq!(
            probe(&endpoint, &Look::Start, PATIENCE).await.met,
            Met::Refused
        );
        assert_eq!(leftovers.count(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_only_dropped_or_paused_leaves_nothing_either() {
    for kind in kinds() {
        let (server, place) = start(kind).await;
        let dropped = leftovers(&server);
        drop(server);
        drop(place);
        assert_eq!(dropped.count(), 0);

        let (server, _place) = start(kind).await;
        let paused = leftovers(&server);
        server.pause().await.expect("paused");
        server.stop().await.expect("stopped");
        assert_eq!(paused.count(), 0);
    }
}

#[tokio::test]
async fn a_server_that_dies_while_starting_is_reported_with_its_last_words() {
    if !kinds().contains(&Kind::Local) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let script = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("written");
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("set");
    };
    fs::set_permissions(
        folder.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .expect("set");
    script("initdb", "exit 0");
    script(
        "postgres",
        "echo 'FATAL:  the moon is in the wrong phase' >&2; exit 3",
    );
    let wanted = Wanted {
        pg_bin: Some(folder.path().to_owned()),
        ..wanted(Kind::Local)
    };
    let error = Environment::start(&wanted, pending())
        .await
        .expect_err("it died")
        .to_string();
    assert!(error.contains("the moon is in the wrong phase"), "{error}");
    assert!(error.contains("exit status: 3"), "{error}");
}

#[tokio::test]
async fn what_is_missing_is_named_with_the_way_to_get_it() {
    let nowhere = Wanted {
        pg_bin: Some(PathBuf::from("/nowhere")),
        ..wanted(Kind::Local)
    };
    let error = Environment::start(&nowhere, pending())
        .await
        .expect_err("no binaries");
    assert!(matches!(error, EnvironmentError::NoBinaries { .. }));
    assert!(error.to_string().contains("--pg-bin"), "{error}");
    if kinds().contains(&Kind::Docker) {
        let image = Some("seawall-no-such-image:1".to_owned());
        let wanted = Wanted {
            image,
            ..wanted(Kind::Docker)
        };
        let error = Environment::start(&wanted, pending()).await;
        let error = error.expect_err("no image").to_string();
        assert!(error.contains("seawall-no-such-image:1"), "{error}");
        assert!(error.contains("--image"), "{error}");
    }
}

/// Once a second postmaster was started beside the first, which was then orphaned.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_runs_is_not_started_again() {
    for kind in kinds() {
        let (server, _place) = start(kind).await;
        let leftovers = leftovers(&server);
        server.restart().await.expect("nothing to do");
        assert_eq!(one(&server).await, 1);
        server.stop().await.expect("stopped");
        assert_eq!(leftovers.count(), 0);
    }
}

/// Once the engine made a container whose request had been given up.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_cancelled_leaves_nothing() {
    for kind in kinds() {
        for after_ms in [0, 20, 100, 700] {
            let _place = server::place().await;
            let cancelled = clock::sleep(Duration::from_millis(after_ms));
            match Environment::start(&wanted(kind), cancelled).await {
                Err(EnvironmentError::Cancelled) => {}
                Err(error) => panic!("{error}"),
                // A machine may be quicker than the last of them.
                Ok(environment) => environment.stop().await.expect("stopped"),
            }
        }
    }
    // Tests beside this one start servers too, but none stays unstarted.
    let unstarted = || {
        let containers = kinds().contains(&Kind::Docker).then(unstarted_containers);
        let mut all = containers.unwrap_or_default();
        all.extend(folders_without_a_server());
        all
    };
    let mut left = unstarted();
    let deadline = clock::now() + Duration::from_secs(10);
    while !left.is_empty() && clock::now() < deadline {
        clock::sleep(Duration::from_millis(250)).await;
        let still = unstarted();
        left.retain(|id| still.contains(id));
    }
    assert_eq!(left, Vec::<String>::new());
}

/// Folders of this process's servers that no process was started in.
fn folders_without_a_server() -> Vec<String> {
    let ours = format!("seawall-postgres-{}-", std::process::id());
    let commands: Vec<String> = fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(Result::ok)
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .map(|cmdline| String::from_utf8_lossy(&cmdline).into_owned())
        .collect();
    fs::read_dir(std::env::temp_dir())
        .expect("a folder")
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(&ours))
        .filter(|name| {
            !commands
                .iter()
                .any(|command| command.contains(name.as_str()))
        })
        .collect()
}

fn unstarted_containers() -> Vec<String> {
    let label = format!("label=dev.seawall.runner-pid={}", std::process::id());
    let output = Command::new("docker")
        .args(["ps", "--all", "--quiet", "--filter", &label])
        .args(["--filter", "status=created"])
        .output()
        .expect("docker");
    let ids = String::from_utf8_lossy(&output.stdout);
    ids.lines().map(str::to_owned).collect()
}
