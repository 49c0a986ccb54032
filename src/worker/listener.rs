//! Hears of dispatches, so that an idle worker claims at once. It only makes things faster: polling finds every job.

use std::{sync::Arc, time::Duration};

use tokio_postgres::AsyncMessage;

use super::{backoff::Backoff, shared::Shared};
use crate::{
    connect::Endpoint,
    error::{Error, Result},
    statements,
};

/// Notifies that come faster than this are one: each of them wakes every queue.
const GATHER: Duration = Duration::from_millis(1);

/// Until the worker closes.
pub(crate) async fn run(shared: Arc<Shared>) {
    let Some(endpoint) = shared.client.endpoint_to_listen() else {
        tracing::info!(
            "this client cannot listen, since it is pooled or on the application's pool: new jobs are found by polling"
        );
        return;
    };
    let closing = shared.signals.closing.clone();
    closing.run_until_cancelled(listen_forever(&shared, endpoint)).await;
}

async fn listen_forever(shared: &Shared, endpoint: &Endpoint) {
    let mut backoff = Backoff::database();
    loop {
        if let Err(error) = listen(shared, endpoint, &mut backoff).await {
            tracing::warn!(%error, "the listening connection was lost: polling until it is back");
        }
        tokio::time::sleep(backoff.next()).await;
    }
}

/// Until the connection is lost.
async fn listen(shared: &Shared, endpoint: &Endpoint, backoff: &mut Backoff) -> Result<()> {
    let (client, mut connection) = endpoint.open().await?;
    let started = client.batch_execute(statements::LISTEN);
    tokio::pin!(started);
    let mut listening = false;
    loop {
        let message = std::future::poll_fn(|context| connection.poll_message(context));
        tokio::select! {
            answer = &mut started, if !listening => {
                answer?;
                listening = true;
                backoff.reset();
                shared.wake_all(); // whatever was dispatched while nobody listened
            }
            message = message => match message {
                Some(Ok(AsyncMessage::Notification(_))) => {
                    shared.wake_all();
                    tokio::time::sleep(GATHER).await;
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Err(Error::unavailable("the server closed the connection")),
            },
        }
    }
}
