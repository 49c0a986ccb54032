//! A way to the server that can be told to misbehave: cut in the middle of a message, delay, go
//! silent, refuse.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How it treats what passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Pass,
    /// Every piece waits so long.
    Delay(Duration),
    /// Nothing passes, and nobody is told: the connection looks alive.
    Silent,
    /// New connections are closed at once; those that are open go on.
    Refuse,
}

/// How connections end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// In order.
    Close,
    /// By a reset: what was sent and not read yet is gone.
    Reset,
}

#[derive(Debug)]
struct State {
    manner: watch::Sender<Manner>,
    /// Grows with every cut of all connections.
    cuts: watch::Sender<(u64, Cut)>,
    /// After so many more bytes the connection that carries the last one is cut there; negative:
    /// never.
    bytes_left: AtomicI64,
    cut: AtomicUsize,
}

/// A listener on the loopback whose connections lead to the server's socket. It outlives restarts
/// of the server.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    state: Arc<State>,
    listener: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(socket: PathBuf) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            manner: watch::Sender::new(Manner::Pass),
            cuts: watch::Sender::new((0, Cut::Close)),
            bytes_left: AtomicI64::new(-1),
            cut: AtomicUsize::new(0),
        });
        let accepting = accept(listener, socket, Arc::clone(&state));
        Self { port, listener: tokio::spawn(accepting), state }
    }

    pub(crate) fn behave(&self, manner: Manner) {
        self.state.manner.send_replace(manner);
    }

    /// Cuts every connection now.
    pub(crate) fn cut_all(&self, how: Cut) {
        self.state.cuts.send_modify(|(number, cut)| {
            *number += 1;
            *cut = how;
        });
    }

    /// Cuts one connection, in the middle of what it carries then.
    pub(crate) fn cut_after(&self, bytes: i64) {
        self.state.bytes_left.store(bytes, SeqCst);
    }

    /// How many connections were cut.
    pub(crate) fn cuts(&self) -> usize {
        self.state.cut.load(SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
        self.cut_all(Cut::Close);
    }
}

async fn accept(listener: TcpListener, socket: PathBuf, state: Arc<State>) {
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        if *state.manner.borrow() == Manner::Refuse {
            continue; // dropped
        }
        tokio::spawn(carry(client, socket.clone(), Arc::clone(&state)));
    }
}

/// One connection until either side ends it or it is cut.
async fn carry(client: TcpStream, socket: PathBuf, state: Arc<State>) {
    let Ok(server) = UnixStream::connect(socket).await else { return };
    let _ = client.set_nodelay(true);
    let mut cuts = state.cuts.subscribe();
    let (mut client_read, mut client_write) = client.into_split();
    let (mut server_read, mut server_write) = server.into_split();
    let how = tokio::select! {
        // first, so that nothing passes any more that was held back until now
        biased;
        changed = cuts.changed() => changed.ok().map(|()| cuts.borrow().1),
        cut = pump(&mut client_read, &mut server_write, &state) => cut,
        cut = pump(&mut server_read, &mut client_write, &state) => cut,
    };
    if how.is_some() {
        state.cut.fetch_add(1, SeqCst);
    }
    if how == Some(Cut::Reset) {
        let _ = client_write.as_ref().set_zero_linger();
        client_write.forget(); // else it would say goodbye first
    }
}

/// Carries one direction; answers how it was cut, if it was.
async fn pump(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    state: &State,
) -> Option<Cut> {
    let mut buffer = vec![0; 4096];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        state.hold().await; // the end of a connection is not told either while nothing passes
        let (allowed, cut) = state.allow(read);
        if to.write_all(&buffer[..allowed]).await.is_err() || read == 0 {
            return None;
        }
        if cut {
            return Some(Cut::Reset);
        }
    }
}

impl State {
    /// Until this piece may pass.
    async fn hold(&self) {
        let mut manner = self.manner.subscribe();
        let now = *manner.borrow();
        if let Manner::Delay(delay) = now {
            tokio::time::sleep(delay).await;
        }
        let _ = manner.wait_for(|manner| *manner != Manner::Silent).await;
    }

    /// How much of a piece passes before the cut, and whether the cut is now.
    fn allow(&self, bytes: usize) -> (usize, bool) {
        let size = i64::try_from(bytes).unwrap_or(i64::MAX);
        if bytes == 0 {
            return (0, false);
        }
        let before = self.bytes_left.fetch_update(SeqCst, SeqCst, |left| match left {
            ..0 => None,
            _ if left <= size => Some(-1),
            _ => Some(left - size),
        });
        match before {
            Ok(left) if left <= size => (usize::try_from(left).unwrap_or(0), true),
            _ => (bytes, false),
        }
    }
}
