//! SIGINT and SIGTERM: the first asks for an orderly end, the second for an end now.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The two wishes that signals express.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signals {
    graceful: CancellationToken,
    immediate: CancellationToken,
}

impl Signals {
    /// Takes the signals over from their default action, for the rest of the process.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let signals = Self::default();
        let (interrupt, terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::spawn(signals.clone().watch(interrupt, terminate));
        Ok(signals)
    }

    /// Resolves with the first signal.
    pub(crate) async fn graceful(&self) {
        self.graceful.cancelled().await;
    }

    /// Resolves with the second signal.
    pub(crate) async fn immediate(&self) {
        self.immediate.cancelled().await;
    }

    async fn watch(self, mut interrupt: Signal, mut terminate: Signal) {
        for wish in [&self.graceful, &self.immediate] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            wish.cancel();
        }
    }
}
