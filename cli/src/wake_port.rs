//! `--wake-port`: any HTTP request ends the sleep of a worker. Nothing of the request is looked at,
//! and the answer is always 204; so a caller that reaches the port can wake the worker and do
//! nothing else.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use fairclaim::WorkerHandle;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How much of a request is read at most, and for how long.
const HEAD_MAX: usize = 8 * 1024;
const PATIENCE: Duration = Duration::from_secs(5);
/// How many callers are listened to at once.
const CALLERS_MAX: usize = 16;
/// How long to wait after a failure to accept a caller, such as too many open files.
const PAUSE: Duration = Duration::from_millis(200);
const ANSWER: &[u8] = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";

/// Reads an address with a port, or a port of the loopback.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    let port = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let parsed = text.parse().or_else(|_| text.parse().map(port));
    parsed.map_err(|_| "write it like 9000 or 127.0.0.1:9000".to_owned())
}

pub(crate) async fn bind(address: Option<SocketAddr>) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = address else { return Ok(None) };
    let listener = TcpListener::bind(address);
    let listener = listener.await.with_context(|| format!("cannot listen on {address}"))?;
    tracing::info!(address = %listener.local_addr()?, "a request here ends a sleep");
    Ok(Some(listener))
}

/// Answers requests for as long as it is polled.
pub(crate) async fn serve(listener: Option<TcpListener>, handle: &WorkerHandle) {
    let Some(listener) = listener else { return std::future::pending().await };
    let mut callers = JoinSet::new();
    loop {
        while callers.len() >= CALLERS_MAX {
            callers.join_next().await;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                let handle = handle.clone();
                callers.spawn(async move {
                    let _ = timeout(PATIENCE, answer(stream, &handle)).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a request to wake could not be accepted");
                sleep(PAUSE).await;
            }
        }
        while callers.try_join_next().is_some() {}
    }
}

/// Reads the head of the request, so that the caller is not cut off while it writes, and answers.
async fn answer(mut stream: TcpStream, handle: &WorkerHandle) -> std::io::Result<()> {
    let (mut head, mut part) = (Vec::new(), [0; 1024]);
    while head.len() < HEAD_MAX && !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut part).await?;
        if read == 0 {
            break;
        }
        head.extend_from_slice(&part[..read]);
    }
    if head.is_empty() {
        return Ok(()); // a supervisor that only looked whether the port is open
    }
    handle.wake();
    stream.write_all(ANSWER).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_reached_from_this_machine_only() {
        assert_eq!(address("9000").unwrap().to_string(), "127.0.0.1:9000");
        assert_eq!(address("[::1]:9000").unwrap().to_string(), "[::1]:9000");
        for bad in ["", "70000", "localhost", "127.0.0.1", "a:1"] {
            assert!(address(bad).is_err(), "{bad:?} was taken");
        }
    }
}
