//! The threads that move bytes, apart from those of the program around them.
//!
//! Each has a runtime of its own that only it turns, and a connection stays on
//! the one that it was given. So a message wakes one thread and takes no lock
//! that another holds; a runtime that steals work among its threads did a tenth
//! less. As many as there are processors: with one the proxy gets too small a
//! share of a busy machine, and more only change places with each other, unless
//! other programs compete for the processors too (measured: see the README).
//!
//! Invariants: dropping [`Workers`] ends its threads and waits for them, which
//! takes no longer than the task that one of them happens to be polling. A name
//! server that does not answer is not waited for: see [`turn`].

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Handle, Runtime};

use crate::stop::{Stop, StopSender, stop_channel};

/// More than this many would mostly sleep: two move several GB/s.
const THREADS_MAX: usize = 8;

/// The running threads; dropping it ends them.
#[derive(Debug)]
pub(crate) struct Workers {
    stop: StopSender,
    threads: Vec<JoinHandle<()>>,
    spread: Spread,
}

/// The way to the threads: hands them out in turn.
#[derive(Debug, Clone)]
pub(crate) struct Spread {
    handles: Arc<[Handle]>,
    next: Arc<AtomicUsize>,
}

impl Workers {
    /// # Errors
    /// The system's, if it gives no thread or no epoll instance.
    pub(crate) fn start() -> io::Result<Self> {
        let count = thread::available_parallelism()
            .map_or(1, usize::from)
            .min(THREADS_MAX);
        let (sender, stop) = stop_channel();
        let mut threads = Vec::with_capacity(count);
        let mut handles = Vec::with_capacity(count);
        for index in 0..count {
            let (handle, thread) = start_one(index, stop.clone())?;
            handles.push(handle);
            threads.push(thread);
        }
        Ok(Self {
            stop: sender,
            threads,
            spread: Spread::over(handles),
        })
    }

    pub(crate) fn spread(&self) -> Spread {
        self.spread.clone()
    }
}

fn start_one(index: usize, mut stop: Stop) -> io::Result<(Handle, JoinHandle<()>)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let thread = thread::Builder::new()
        .name(format!("fault-proxy-{index}"))
        .spawn(move || turn(runtime, stop.requested()))?;
    Ok((handle, thread))
}

/// Runs `main` and what it spawns, and drops what is left of that once it is
/// done. The system looks names up on a thread that cannot be interrupted; the
/// runtime would wait for it.
pub(crate) fn turn(runtime: Runtime, main: impl Future<Output = ()>) {
    runtime.block_on(main);
    runtime.shutdown_background();
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.stop();
        for thread in self.threads.drain(..) {
            // An error means that it had panicked, which ended it too.
            let _ = thread.join();
        }
    }
}

impl Spread {
    fn over(handles: Vec<Handle>) -> Self {
        Self {
            handles: handles.into(),
            next: Arc::default(),
        }
    }

    /// Only the runtime that the test runs on.
    #[cfg(test)]
    pub(crate) fn current() -> Self {
        Self::over(vec![Handle::current()])
    }

    /// The thread whose turn it is.
    pub(crate) fn next(&self) -> Handle {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let index = turn.checked_rem(self.handles.len()).unwrap_or_default();
        // There is at least one; the caller's own would do as well.
        self.handles
            .get(index)
            .cloned()
            .unwrap_or_else(Handle::current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_workers_leave_no_thread_and_no_task() {
        let workers = Workers::start().unwrap();
        let spread = workers.spread();
        let (alive, mut dead) = tokio::sync::mpsc::channel::<()>(1);
        for _ in 0..20 {
            let alive = alive.clone();
            spread.next().spawn(async move {
                std::future::pending::<()>().await;
                drop(alive);
            });
        }
        drop(alive);
        drop(workers);
        // Every task's future is gone, and with it its sender.
        assert_eq!(dead.blocking_recv(), None);
    }

    /// As it would be with a name server that does not answer.
    #[test]
    fn a_call_that_blocks_for_ever_is_not_waited_for() {
        let workers = Workers::start().unwrap();
        let (release, blocked) = std::sync::mpsc::channel::<()>();
        let (entered, entering) = std::sync::mpsc::channel();
        workers.spread().next().spawn_blocking(move || {
            entered.send(()).unwrap();
            blocked.recv()
        });
        entering.recv().unwrap();
        drop(workers);
        drop(release);
    }
}
