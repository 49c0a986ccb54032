//! Cancels calls whose answer no task waits for any more: their patience is over, or their task was
//! told to end.
//!
//! Closing a connection is not enough. A session of the server that waits for a lock, or has much
//! to do, does not look whether its client is still there: it would commit a claim whose answer is
//! lost, and count as a connection for as long as it takes. So the server is asked to give the call
//! up, and the connection is kept until it has.

use std::{sync::Arc, time::Duration};

use deadpool_postgres::ClientWrapper;
use tokio::{runtime::Handle, time::timeout};
use tokio_util::task::TaskTracker;

use crate::{client::connect::Connector, error::Error};

/// How long one request to cancel may take.
const ASK_WITHIN: Duration = Duration::from_secs(2);
/// A request may come while another call of the connection is at work, or get lost: it is repeated
/// after this long.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How long the server has before the connection is closed all the same: the server may be frozen,
/// out of reach, or behind a proxy that passes no request on.
const CLOSE_AFTER: Duration = Duration::from_secs(5);

/// Cancels the calls of one worker that were left without an answer.
pub(crate) struct CancelCalls {
    /// How to reach the server; none where it may not be asked: then connections are closed and
    /// nothing more.
    tls: Option<Connector>,
    tasks: TaskTracker,
}

impl CancelCalls {
    pub(crate) fn new(tls: Option<Connector>) -> Self {
        let tasks = TaskTracker::new();
        tasks.close(); // it may wait at any time; more can be added still
        Self { tls, tasks }
    }

    /// Begins to watch a call, just before it is sent on a connection. Without
    /// [`SentCall::answered`] the call is cancelled when the value is dropped.
    pub(crate) fn sent(&self, connection: &Arc<ClientWrapper>) -> SentCall<'_> {
        SentCall { cancel_calls: self, connection: Some(Arc::clone(connection)) }
    }

    /// Waits until the server has given up every call so far, or cannot be asked.
    pub(crate) async fn given_up(&self) {
        self.tasks.wait().await;
    }

    fn cancel(&self, connection: Arc<ClientWrapper>) {
        let (Some(tls), Ok(runtime)) = (self.tls.clone(), Handle::try_current()) else { return };
        if !connection.is_closed() {
            self.tasks.spawn_on(cancel(connection, tls), &runtime);
        }
    }
}

/// One call that is under way.
pub(crate) struct SentCall<'a> {
    cancel_calls: &'a CancelCalls,
    connection: Option<Arc<ClientWrapper>>,
}

impl SentCall<'_> {
    pub(crate) fn answered(mut self) {
        self.connection = None;
    }
}

impl Drop for SentCall<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.cancel_calls.cancel(connection);
        }
    }
}

/// Asks the server to cancel until everything sent on the connection so far has ended. A call of
/// another task that is hit fails with 57014, has changed nothing, and is repeated as after any
/// passing failure.
async fn cancel(connection: Arc<ClientWrapper>, tls: Connector) {
    let token = connection.cancel_token();
    let asking = async {
        // answers come in the order of the calls: this one's is the last
        let ended = connection.simple_query("");
        tokio::pin!(ended);
        loop {
            match timeout(ASK_WITHIN, token.cancel_query(tls.clone())).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::debug!(error = %Error::from(error), "a call could not be cancelled");
                }
                Err(_) => tracing::debug!("no answer to a request to cancel a call"),
            }
            if timeout(ASK_AGAIN_AFTER, &mut ended).await.is_ok() {
                return;
            }
        }
    };
    if timeout(CLOSE_AFTER, asking).await.is_err() {
        tracing::warn!(
            "a call without an answer could not be cancelled: the server may still carry it out"
        );
    }
}
