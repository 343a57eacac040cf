//! The user's wish to stop: Ctrl-C, SIGTERM, SIGHUP.

use tokio::sync::watch;

/// Becomes true once, and stays. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Interrupt(watch::Receiver<bool>);

/// Stopped by the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

impl Interrupt {
    /// One that is raised by the returned sender.
    #[must_use]
    pub fn manual() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// One that is raised by the signals that end a program in a terminal. One that this
    /// process was told to ignore when it was started stays ignored: SIGHUP by `nohup`,
    /// SIGINT by a shell that runs it in the background.
    ///
    /// # Errors
    /// If the handlers cannot be installed.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn from_signals() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let (sender, interrupt) = Self::manual();
        let ignored =
            std::fs::read_to_string("/proc/self/status").map_or(0, |status| ignored(&status));
        let kinds = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ];
        let heeded = kinds.into_iter().filter(|kind| {
            let bit = kind.as_raw_value().checked_sub(1);
            *kind == SignalKind::terminate() || bit.is_none_or(|bit| ignored >> bit & 1 == 0)
        });
        let mut signals = heeded.map(signal).collect::<std::io::Result<Vec<_>>>()?;
        tokio::spawn(async move {
            {
                let any = signals.iter_mut().map(|signal| Box::pin(signal.recv()));
                futures_util::future::select_all(any).await;
            }
            sender.send_replace(true);
            // Kept, so that a second signal does not kill us while we clean up.
            sender.closed().await;
            drop(signals);
        });
        Ok(interrupt)
    }

    /// Whether it was raised.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is raised. Cancel safe.
    pub async fn raised(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|raised| *raised).await.is_err() {
            // Nobody can raise it any more.
            std::future::pending::<()>().await;
        }
    }
}

/// The signals that a process ignores, by its status in /proc: bit `n - 1` for signal `n`.
/// None, where that is not said.
/// Source: proc(5), `SigIgn`.
fn ignored(status: &str) -> u64 {
    let lines = status.lines();
    let line = lines.filter_map(|line| line.strip_prefix("SigIgn:")).next();
    line.map_or(0, |mask| u64::from_str_radix(mask.trim(), 16).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_ignores_is_read_from_its_status() {
        let status = "Name:\tx\nSigBlk:\t0000000000000002\nSigIgn:\t0000000000001003\n";
        assert_eq!(ignored(status), 0x1003);
        assert_eq!((ignored(""), ignored("SigIgn:\tnone")), (0, 0));
    }
}
