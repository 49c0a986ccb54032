//! Calls that nobody waits for any more: their patience is over, or their task was told to end.
//!
//! Closing a connection is not enough. A session of the server that waits for a lock, or has much to do, does not look whether its
//! client is still there: it would commit a claim that nobody hears of, and count as a connection for as long as it takes. So the server is
//! asked to give the call up, and the connection is kept until it has.

use std::{sync::Arc, time::Duration};

use deadpool_postgres::ClientWrapper;
use tokio::{runtime::Handle, time::timeout};
use tokio_util::task::TaskTracker;

use crate::{connect::Connector, error::Error};

/// How long one request to cancel may take.
const ASK_WITHIN: Duration = Duration::from_secs(2);
/// A request may come while another call of the connection is at work, or get lost: it is repeated after this long.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// Past this the connection is closed whatever the server does: it is frozen, out of reach, or behind a proxy that passes no
/// request on.
const CLOSE_AFTER: Duration = Duration::from_secs(5);

/// Takes care of all calls of one worker that were left without an answer.
pub(crate) struct Unanswered {
    /// None where the server may not be asked: then connections are closed and nothing more.
    tls: Option<Connector>,
    tasks: TaskTracker,
}

impl Unanswered {
    pub(crate) fn new(tls: Option<Connector>) -> Self {
        let tasks = TaskTracker::new();
        tasks.close(); // it may wait at any time; more can be added still
        Self { tls, tasks }
    }

    /// To be made before a call is sent on a connection, and told of its answer. Dropped without one, it has the call cancelled.
    pub(crate) fn watch(&self, connection: &Arc<ClientWrapper>) -> Watch<'_> {
        Watch { unanswered: self, connection: Some(Arc::clone(connection)) }
    }

    /// Waits until the server has given up every call so far, or cannot be told.
    pub(crate) async fn given_up(&self) {
        self.tasks.wait().await;
    }

    fn give_up(&self, connection: Arc<ClientWrapper>) {
        let (Some(tls), Ok(runtime)) = (self.tls.clone(), Handle::try_current()) else { return };
        if !connection.is_closed() {
            self.tasks.spawn_on(give_up(connection, tls), &runtime);
        }
    }
}

/// One call that is under way.
pub(crate) struct Watch<'a> {
    unanswered: &'a Unanswered,
    connection: Option<Arc<ClientWrapper>>,
}

impl Watch<'_> {
    pub(crate) fn answered(mut self) {
        self.connection = None;
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.unanswered.give_up(connection);
        }
    }
}

/// Asks the server to cancel until everything sent on the connection so far has ended. A call of another task that is hit fails
/// with 57014, has changed nothing, and is repeated as after any passing failure.
async fn give_up(connection: Arc<ClientWrapper>, tls: Connector) {
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
