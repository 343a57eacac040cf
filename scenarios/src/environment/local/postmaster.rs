//! `postgres` as our own child.
//!
//! It is spawned by a thread that lives exactly as long as it does, since the
//! kernel means the thread, not the process, when it says parent. A signal is only
//! sent while the child has not been reaped, so it can never reach another process
//! that was given its number.

use std::{
    fs,
    process::{Command, ExitStatus},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use seawall::clock;
use tokio::sync::{Notify, oneshot};

use super::super::{EnvironmentError, process::is_alive};

/// Our child, and the thread that spawned it and waits for it.
#[derive(Debug)]
pub(super) struct Postmaster {
    pid: Pid,
    end: Arc<End>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct End {
    /// Set before the child is reaped; signals are sent under this lock.
    status: Mutex<Option<String>>,
    exited: Notify,
}

impl Postmaster {
    pub(super) async fn spawn(mut command: Command) -> Result<Self, EnvironmentError> {
        let failed = |error: std::io::Error| EnvironmentError::failed("starting postgres", error);
        let end = Arc::new(End::default());
        let (started, has_started) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("postgres".to_owned())
            .spawn({
                let end = end.clone();
                move || match command.spawn() {
                    Ok(mut child) => {
                        let pid = Pid::from_child(&child);
                        if started.send(Ok(pid)).is_err() {
                            // Whoever wanted it is gone, so nobody would ever end it.
                            let _ok = kill_process(pid, Signal::KILL);
                        }
                        wait_without_reaping(pid);
                        let mut status = end.status.lock().unwrap_or_else(PoisonError::into_inner);
                        *status = Some(describe(child.wait()));
                        drop(status);
                        end.exited.notify_waiters();
                    }
                    Err(error) => {
                        let _unheard = started.send(Err(error));
                    }
                }
            })
            .map_err(failed)?;
        let pid = has_started
            .await
            .map_err(|_| EnvironmentError::failed("starting postgres", "its thread is gone"))?
            .map_err(failed)?;
        Ok(Self {
            pid,
            end,
            thread: Some(thread),
        })
    }

    pub(super) fn status(&self) -> Option<String> {
        let status = self
            .end
            .status
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        status.clone()
    }

    pub(super) fn signal(&self, signal: Signal) {
        let status = self
            .end
            .status
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if status.is_none() {
            // It is our own child and not reaped, so there is such a process, and
            // it is ours to signal.
            let _ok = kill_process(self.pid, signal);
        }
    }

    /// Its children, as long as it has not been reaped: after that its number, and
    /// so the list, might be another's.
    pub(super) fn children(&self) -> Vec<Pid> {
        let status = self
            .end
            .status
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if status.is_some() {
            return Vec::new();
        }
        let pid = self.pid.as_raw_nonzero();
        let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        listed
            .unwrap_or_default()
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok().and_then(Pid::from_raw))
            .collect()
    }

    /// Kills it and all its children; returns the children, which may take a
    /// moment longer to be gone.
    pub(super) fn kill_all(&self) -> Vec<Pid> {
        // The postmaster first, so that it starts no child that is missed.
        self.signal(Signal::STOP);
        let children = self.children();
        for child in &children {
            // A child that has just ended is as dead as it should be.
            let _gone = kill_process(*child, Signal::KILL);
        }
        self.signal(Signal::KILL);
        children
    }

    pub(super) async fn exited(&self) -> String {
        loop {
            let exited = self.end.exited.notified();
            tokio::pin!(exited);
            exited.as_mut().enable();
            if let Some(status) = self.status() {
                return status;
            }
            exited.await;
        }
    }

    /// Waits until it, and what [`kill_all`](Self::kill_all) named, is gone.
    pub(super) async fn gone(
        &self,
        children: &[Pid],
        within: Duration,
    ) -> Result<(), EnvironmentError> {
        let all = async {
            self.exited().await;
            // Not our children, so there is nothing to wait on but their absence. A
            // backend in the middle of an fsync dies late, and holds the memory
            // that the next server needs.
            while children
                .iter()
                .any(|child| is_alive(child.as_raw_nonzero().get().unsigned_abs()))
            {
                clock::sleep(Duration::from_millis(2)).await;
            }
        };
        clock::timeout_at(clock::now() + within, all)
            .await
            .map_err(|_| EnvironmentError::failed("killing postgres", "some of it is still there"))
    }
}

impl Drop for Postmaster {
    /// Kills it, if it is still there, and waits until it is reaped.
    fn drop(&mut self) {
        self.kill_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that waits for postgres panicked");
        }
    }
}

fn wait_without_reaping(pid: Pid) {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while matches!(
        waitid(WaitId::Pid(pid), options),
        Err(rustix::io::Errno::INTR)
    ) {}
}

fn describe(status: std::io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => status.to_string(),
        Err(error) => format!("cannot be waited for: {error}"),
    }
}
