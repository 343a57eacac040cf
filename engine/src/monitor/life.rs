//! [`Life`] of a server: all that runs for it ends with it.

use std::sync::{
    Arc, Mutex, PoisonError, Weak,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::watch;

use super::listen::Listener;

/// Held by the owner. Dropped, everybody who watches it is told.
#[derive(Debug)]
pub(super) struct Life {
    _held: watch::Sender<()>,
}

impl Life {
    pub(super) fn new() -> (Self, Over) {
        let (sender, receiver) = watch::channel(());
        (Self { _held: sender }, Over(receiver))
    }
}

/// Tells when it is over.
#[derive(Debug, Clone)]
pub(super) struct Over(watch::Receiver<()>);

impl Over {
    /// Waits for the end. Cancel safe.
    pub(super) async fn wait(&self) {
        let mut receiver = self.0.clone();
        // Nothing is ever sent: this ends with the sender.
        while receiver.changed().await.is_ok() {}
    }
}

/// Those who want to know when a server has stopped, for whatever reason: its runtime may have
/// ended.
#[derive(Debug, Default)]
pub(super) struct Ended {
    over: AtomicBool,
    flags: Mutex<Vec<Weak<AtomicBool>>>,
}

impl Ended {
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Has a flag set once it has stopped.
    pub(super) fn tell(&self, flag: &Arc<AtomicBool>) {
        let mut flags = self.flags.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_over() {
            flag.store(true, Ordering::Release);
        } else {
            flags.retain(|flag| flag.strong_count() > 0);
            flags.push(Arc::downgrade(flag));
        }
    }

    fn end(&self) {
        let mut flags = self.flags.lock().unwrap_or_else(PoisonError::into_inner);
        self.over.store(true, Ordering::Release);
        for flag in flags.drain(..).filter_map(|flag| flag.upgrade()) {
            flag.store(true, Ordering::Release);
        }
    }
}

/// Held by the task that serves: dropped with it, the port is free, and everybody is told.
pub(super) struct Serving {
    pub(super) listener: Arc<Listener>,
    pub(super) ended: Arc<Ended>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.listener.close();
        self.ended.end();
    }
}
