//! SIGINT, SIGTERM and SIGHUP: the first asks for an orderly end, the second for an end now.

use std::future::poll_fn;
use std::task::{Context, Poll};

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
        let kinds = vec![signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
        let hangup = if hangup_is_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
        tokio::spawn(signals.clone().watch(kinds, hangup));
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

    /// A terminal that is closed may say so twice, so a hangup is never the second wish.
    async fn watch(self, mut kinds: Vec<Signal>, mut hangup: Option<Signal>) {
        poll_fn(|context| any(kinds.iter_mut().chain(&mut hangup), context)).await;
        self.graceful.cancel();
        poll_fn(|context| any(kinds.iter_mut(), context)).await;
        self.immediate.cancel();
    }
}

fn any<'a>(mut kinds: impl Iterator<Item = &'a mut Signal>, context: &mut Context<'_>) -> Poll<()> {
    if kinds.any(|kind| kind.poll_recv(context).is_ready()) {
        Poll::Ready(())
    } else {
        Poll::Pending
    }
}

/// Whether this program was started by `nohup`, and so should outlive the terminal. Only Linux
/// tells.
fn hangup_is_ignored() -> bool {
    const SIGHUP_BIT: u64 = 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & SIGHUP_BIT != 0)
}
