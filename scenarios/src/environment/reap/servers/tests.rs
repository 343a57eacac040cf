use std::os::unix::fs::symlink;

use super::*;

/// Above every pid_max.
const NOBODY: u32 = i32::MAX.unsigned_abs();

async fn reaped(temporary: &Path) -> Vec<Thing> {
    reap(temporary, false).await.expect("looked through")
}

fn folder(temporary: &Path, pid: u32, random: &str) -> PathBuf {
    let path = temporary.join(format!("{PREFIX}{pid}-{random}"));
    fs::create_dir(&path).expect("made");
    fs::create_dir(path.join("data")).expect("made");
    path
}

fn outcomes(things: &[Thing]) -> Vec<Outcome> {
    things.iter().map(|thing| thing.outcome.clone()).collect()
}

#[test]
fn only_a_name_of_our_kind_has_a_runner_in_it() {
    for (name, runner) in [
        ("seawall-postgres-12-abc", Some(12)),
        ("seawall-postgres-12-", None),
        ("seawall-postgres-12", None),
        ("seawall-postgres--abc", None),
        ("seawall-postgres-+1-abc", None),
        ("seawall-postgres-x-abc", None),
        ("seawall-postgres-99999999999-abc", None),
        ("seawall-postgres2-12-abc", None),
        ("my-seawall-postgres-12-abc", None),
    ] {
        assert_eq!(runner_in(name), runner, "{name}");
    }
}

#[tokio::test]
async fn a_folder_goes_by_its_lease_and_without_one_by_its_name() {
    let temporary = tempfile::tempdir().expect("a folder");
    let there = temporary.path();
    let this = std::process::id();
    let ours = Lease::ours().expect("Linux").to_string();
    let lease = |path: &Path, text: &str| fs::write(path.join(LEASE), text).expect("written");

    let gone = [
        folder(there, NOBODY, "without"),
        folder(there, NOBODY, "killed-while-writing"),
        folder(there, this, "number-used-again"),
    ];
    lease(&gone[1], "");
    let start = ours.split(' ').nth(2).expect("the start");
    lease(&gone[2], &ours.replace(start, "start=1"));

    let stays = [
        folder(there, this, "starting"),
        folder(there, this, "alive"),
        folder(there, NOBODY, "alive"),
        folder(there, NOBODY, "another-boot"),
        folder(there, NOBODY, "another-version"),
    ];
    lease(&stays[1], &ours);
    lease(&stays[2], &ours);
    lease(&stays[3], &ours.replace("boot=", "boot=x"));
    lease(&stays[4], "seawall-lease-2");

    let dry = reap(there, true).await.expect("looked through");
    let would = |thing: &&Thing| thing.outcome == Outcome::WouldRemove;
    assert_eq!(dry.iter().filter(would).count(), gone.len(), "{dry:?}");
    assert!(gone.iter().all(|path| path.exists()), "a dry run only says");

    let things = reaped(there).await;
    let removed = |thing: &&Thing| thing.outcome == Outcome::Removed;
    assert_eq!(
        things.iter().filter(removed).count(),
        gone.len(),
        "{things:?}"
    );
    assert!(gone.iter().all(|path| !path.exists()), "{things:?}");
    assert!(stays.iter().all(|path| path.exists()), "{things:?}");
    let other_boot = things.iter().find(|thing| thing.name.ends_with("boot"));
    let why = &other_boot.expect("named").why;
    assert!(
        why.contains("another boot") && why.contains("`rm -r "),
        "{why}"
    );

    let again = reaped(there).await;
    assert!(
        again.iter().all(|t| t.outcome == Outcome::LeftAlone),
        "{again:?}"
    );
}

#[tokio::test]
async fn no_link_is_followed() {
    let temporary = tempfile::tempdir().expect("a folder");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let (there, precious) = (temporary.path(), elsewhere.path().join("precious"));
    fs::write(&precious, "x").expect("written");
    let link = there.join(format!("{PREFIX}{NOBODY}-link"));
    symlink(elsewhere.path(), &link).expect("linked");
    fs::write(there.join(format!("{PREFIX}{NOBODY}-file")), "x").expect("written");
    assert_eq!(
        outcomes(&reaped(there).await),
        [Outcome::LeftAlone, Outcome::LeftAlone]
    );
    assert!(link.is_symlink());

    // Inside a folder of ours a link goes, and what it points at stays; as a lease it
    // is none.
    let inside = folder(there, NOBODY, "with-links");
    symlink(elsewhere.path(), inside.join("data/link")).expect("linked");
    let leased = folder(there, NOBODY, "linked-lease");
    symlink(&precious, leased.join(LEASE)).expect("linked");
    reaped(there).await;
    assert!(!inside.exists() && leased.exists());
    assert!(precious.exists());
}

#[tokio::test]
async fn a_folder_of_another_user_stays() {
    if !geteuid().is_root() {
        // Nobody else's folder can be made.
        return;
    }
    let temporary = tempfile::tempdir().expect("a folder");
    let theirs = folder(temporary.path(), NOBODY, "theirs");
    std::os::unix::fs::chown(&theirs, Some(12_345), None).expect("given away");
    let things = reaped(temporary.path()).await;
    assert_eq!(outcomes(&things), [Outcome::LeftAlone]);
    assert!(
        things[0].why.contains("another user, number 12345"),
        "{things:?}"
    );
    assert!(theirs.exists());
}
