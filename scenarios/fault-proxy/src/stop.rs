//! How the server tells its tasks to end.

use tokio::sync::watch;

/// Held by the server; telling is done by [`StopSender::stop`] or a drop.
#[derive(Debug)]
pub(crate) struct StopSender(watch::Sender<bool>);

/// Held by whatever has to end.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

pub(crate) fn stop_channel() -> (StopSender, Stop) {
    let (sender, receiver) = watch::channel(false);
    (StopSender(sender), Stop(receiver))
}

impl StopSender {
    pub(crate) fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Returns once the server is to end. Cancel safe.
    pub(crate) async fn requested(&mut self) {
        // An error means that the sender is gone, and with it the server.
        let _ = self.0.wait_for(|stopped| *stopped).await;
    }
}
