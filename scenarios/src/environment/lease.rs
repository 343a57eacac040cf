//! Whom something belongs to, so that it can be told for sure that they are gone.
//!
//! A runner that is killed with SIGKILL cleans nothing up. What it leaves carries
//! its lease, and `scenarios reap` removes what belongs to nobody any more. A process
//! number alone proves nothing: it is given away again, and means another process
//! after a reboot or in a container. So a lease names the process by its number and
//! the time it began, and the place in which that number means anything by the
//! kernel's boot and the namespace of process numbers. In any other place there is no
//! telling, and what cannot be told is left alone.

use std::{fmt, fs, io, io::Read as _, path::Path, str::FromStr};

use rustix::process::{Pid, test_kill_process};

use super::process::{self, Stat};

/// Longest text that is looked at: a lease takes about 120 bytes.
pub(super) const MAX_LEN: u64 = 512;

/// The runner that something belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lease {
    pid: u32,
    /// Since boot, in the kernel's ticks.
    start_ticks: u64,
    place: Place,
}

/// Where a process number means anything.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    boot: String,
    namespace: String,
}

/// What has become of a runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// It runs.
    Alive,
    /// It is gone for good.
    Gone,
    /// It cannot be told from here.
    Unknown(&'static str),
}

/// What the kernel says of a process number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Process {
    Absent,
    /// There is one, and we may not look at it (`hidepid`).
    Hidden,
    Running {
        start_ticks: u64,
    },
}

/// A text that is no lease, or not one that this version can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a lease of this version")]
pub(crate) struct NotALease;

impl Lease {
    /// The lease of this process.
    ///
    /// # Errors
    /// If the kernel does not say: not Linux, or no `/proc`.
    pub(crate) fn ours() -> io::Result<Self> {
        let pid = std::process::id();
        let stat = process::stat(pid)?;
        Ok(Self {
            pid,
            start_ticks: stat.start_ticks,
            place: Place::here()?,
        })
    }

    /// The process number of the runner.
    #[must_use]
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// What has become of the runner.
    #[must_use]
    pub(crate) fn holder(&self) -> Holder {
        match Place::here() {
            Ok(here) => self.judged(&here, Process::of(self.pid)),
            Err(_) => Holder::Unknown("the kernel does not say what runs here"),
        }
    }

    fn judged(&self, here: &Place, process: Process) -> Holder {
        if self.place.boot != here.boot {
            return Holder::Unknown("its runner was of another boot, or of another machine");
        }
        if self.place.namespace != here.namespace {
            return Holder::Unknown("its runner is of another container");
        }
        match process {
            Process::Running { start_ticks } if start_ticks == self.start_ticks => Holder::Alive,
            // The number was given to another process.
            Process::Running { .. } | Process::Absent => Holder::Gone,
            Process::Hidden => Holder::Unknown("the process of its runner's number is hidden"),
        }
    }
}

/// What can be told of a runner of which only the number is known: that it is gone.
pub(super) fn holder_of_number(pid: u32) -> Holder {
    match Process::of(pid) {
        Process::Absent => Holder::Gone,
        Process::Running { .. } | Process::Hidden => {
            Holder::Unknown("it has no lease, and there is a process of its runner's number")
        }
    }
}

/// Reads a text that is to be short.
pub(super) fn read_short(file: fs::File) -> io::Result<String> {
    let mut text = String::new();
    file.take(MAX_LEN).read_to_string(&mut text)?;
    Ok(text)
}

impl Place {
    fn here() -> io::Result<Self> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        let namespace = fs::read_link(Path::new("/proc/self/ns/pid"))?;
        Ok(Self {
            boot: boot.trim().to_owned(),
            namespace: namespace.to_string_lossy().into_owned(),
        })
    }
}

impl Process {
    fn of(number: u32) -> Self {
        match process::stat(number) {
            Ok(Stat { dead: true, .. }) => Self::Absent,
            Ok(Stat { start_ticks, .. }) => Self::Running { start_ticks },
            Err(_) => match i32::try_from(number).ok().and_then(Pid::from_raw) {
                // Signal 0 is answered even where /proc hides a process.
                Some(pid) if test_kill_process(pid) != Err(rustix::io::Errno::SRCH) => Self::Hidden,
                _ => Self::Absent,
            },
        }
    }
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pid,
            start_ticks,
            place: Place { boot, namespace },
        } = self;
        write!(
            f,
            "seawall-lease-1 pid={pid} start={start_ticks} boot={boot} ns={namespace}"
        )
    }
}

impl FromStr for Lease {
    type Err = NotALease;

    fn from_str(text: &str) -> Result<Self, NotALease> {
        let mut words = text.split_ascii_whitespace();
        (words.next() == Some("seawall-lease-1"))
            .then_some(())
            .ok_or(NotALease)?;
        let mut value = |key: &str| {
            let word = words.next().ok_or(NotALease)?;
            word.strip_prefix(key)
                .and_then(|rest| rest.strip_prefix('='))
                .filter(|value| !value.is_empty())
                .ok_or(NotALease)
        };
        let pid: u32 = value("pid")?.parse().map_err(|_| NotALease)?;
        let start_ticks = value("start")?.parse().map_err(|_| NotALease)?;
        let boot = value("boot")?.to_owned();
        let namespace = value("ns")?.to_owned();
        if words.next().is_some() || i32::try_from(pid).map_or(true, |pid| pid < 1) {
            return Err(NotALease);
        }
        Ok(Self {
            pid,
            start_ticks,
            place: Place { boot, namespace },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "seawall-lease-1 pid=42 start=1000 boot=b-1 ns=pid:[7]";

    #[test]
    fn a_lease_is_read_as_it_was_written() {
        let lease: Lease = TEXT.parse().expect("a lease");
        assert_eq!((lease.pid(), lease.start_ticks), (42, 1000));
        assert_eq!(lease.to_string(), TEXT);
        let ours = Lease::ours().expect("Linux");
        assert_eq!(ours.to_string().parse(), Ok(ours.clone()));
        assert!(u64::try_from(ours.to_string().len()).expect("short") < MAX_LEN);
    }

    #[test]
    fn another_text_is_no_lease() {
        for text in [
            "",
            "42",
            "seawall-lease-1",
            "seawall-lease-2 pid=42 start=1000 boot=b-1 ns=pid:[7]",
            "seawall-lease-1 pid=0 start=1000 boot=b-1 ns=pid:[7]",
            "seawall-lease-1 pid=-1 start=1000 boot=b-1 ns=pid:[7]",
            "seawall-lease-1 pid=4294967295 start=1000 boot=b-1 ns=pid:[7]",
            "seawall-lease-1 pid=42 start=x boot=b-1 ns=pid:[7]",
            "seawall-lease-1 pid=42 boot=b-1 start=1000 ns=pid:[7]",
            "seawall-lease-1 pid=42 start=1000 boot= ns=pid:[7]",
            "seawall-lease-1 pid=42 start=1000 boot=b-1 ns=",
            "seawall-lease-1 pid=42 start=1000 boot=b-1 ns=pid:[7] more",
        ] {
            assert_eq!(text.parse::<Lease>(), Err(NotALease), "{text:?}");
        }
    }

    #[test]
    fn only_a_runner_of_this_place_is_judged() {
        let lease: Lease = TEXT.parse().expect("a lease");
        let running = |start_ticks| Process::Running { start_ticks };
        for (boot, namespace, process, gone) in [
            ("b-1", "pid:[7]", running(1000), Some(false)),
            ("b-1", "pid:[7]", running(1001), Some(true)),
            ("b-1", "pid:[7]", Process::Absent, Some(true)),
            ("b-1", "pid:[7]", Process::Hidden, None),
            ("b-2", "pid:[7]", Process::Absent, None),
            ("b-2", "pid:[7]", running(1000), None),
            ("b-1", "pid:[8]", Process::Absent, None),
            ("b-1", "pid:[8]", running(1001), None),
        ] {
            let here = Place {
                boot: boot.to_owned(),
                namespace: namespace.to_owned(),
            };
            let holder = lease.judged(&here, process);
            let judged = match holder {
                Holder::Alive => Some(false),
                Holder::Gone => Some(true),
                Holder::Unknown(_) => None,
            };
            assert_eq!(judged, gone, "{boot} {namespace} {process:?}");
        }
    }

    #[test]
    fn this_process_is_alive_and_its_number_alone_proves_nothing() {
        let ours = Lease::ours().expect("Linux");
        assert_eq!(ours.holder(), Holder::Alive);
        let reused = Lease {
            start_ticks: ours.start_ticks + 1,
            ..ours.clone()
        };
        assert_eq!(reused.holder(), Holder::Gone);
        assert!(matches!(holder_of_number(ours.pid()), Holder::Unknown(_)));
        // Above every pid_max.
        assert_eq!(holder_of_number(i32::MAX.unsigned_abs()), Holder::Gone);
        assert_eq!(holder_of_number(u32::MAX), Holder::Gone);
    }
}
