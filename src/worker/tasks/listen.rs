//! Hears of dispatches, so that an idle worker claims at once and need not poll. What it cannot
//! hear is found by polling.

use std::{
    future::poll_fn,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use tokio_postgres::AsyncMessage;

use crate::{
    client::connect::Endpoint,
    error::{Error, Result},
    protocol::statements,
    worker::{backoff::Backoff, context::Context},
};

/// How long dense notifications are gathered, since each wakes every queue.
const GATHER: Duration = Duration::from_millis(1);
/// How many notifications are taken in one go.
const BATCH_MAX: usize = 1000;
/// The database sends one notification in this time at most, after a burst.
const APART: Duration = Duration::from_millis(4);
/// How many notifications make a burst of which some may be missing: fewer than the database sends.
const CROWD: u32 = 15;
/// The payload that says that something will be due.
const DUE: &str = "due";
/// The payload that says that a job that runs is to be cancelled. An empty one says that jobs wait.
const CANCEL: &str = "cancel";

/// How often it looks whether the worker has the connections that it cannot do without.
const LET_OTHERS: Duration = Duration::from_millis(100);

/// Listens and wakes the other tasks. Returns once `signals.closing` is cancelled, or at once where
/// the client cannot listen.
pub(crate) async fn run(context: Arc<Context>) {
    let Some(endpoint) = context.client.endpoint_to_listen() else {
        tracing::info!(
            "this client cannot listen, since it is pooled or on the application's pool: new jobs \
             are found by polling"
        );
        return;
    };
    let closing = context.signals.closing.clone();
    closing.run_until_cancelled(listen_forever(&context, endpoint)).await;
}

async fn listen_forever(context: &Context, endpoint: &Endpoint) {
    let mut backoff = Backoff::database();
    loop {
        while !context.connections.holds_what_it_needs() {
            // where there are few connections, this one is opened last
            tokio::time::sleep(LET_OTHERS).await;
        }
        let ended = listen(context, endpoint, &mut backoff).await;
        context.listen(false);
        if let Err(error) = ended
            && !context.connections.outage.takes(&error)
        {
            tracing::warn!(%error, "the listening connection was lost: polling until it is back");
        }
        tokio::time::sleep(backoff.next()).await;
    }
}

/// Listens until the connection is lost.
async fn listen(context: &Context, endpoint: &Endpoint, backoff: &mut Backoff) -> Result<()> {
    let (client, mut connection) = endpoint.open().await?;
    let sent_at = Instant::now();
    let started = client.batch_execute(statements::LISTEN);
    tokio::pin!(started);
    let (mut listening, mut crowd) = (false, Crowd::default());
    loop {
        let message = poll_fn(|cx| connection.poll_message(cx));
        tokio::select! {
            answer = &mut started, if !listening => {
                answer?;
                listening = true;
                backoff.reset();
                context.connections.outage.over(sent_at);
                context.listen(true); // which looks for what was dispatched meanwhile
            }
            message = message => {
                let mut heard = Heard::default();
                heard.take(message)?;
                for _ in 0..BATCH_MAX {
                    let next = poll_fn(|cx| match connection.poll_message(cx) {
                        Poll::Ready(message) => Poll::Ready(Some(message)),
                        Poll::Pending => Poll::Ready(None),
                    });
                    let Some(message) = next.await else { break };
                    heard.take(message)?;
                }
                if wake_tasks(context, &heard, &mut crowd) {
                    tokio::time::sleep(GATHER).await;
                }
            }
        }
    }
}

/// Wakes the tasks that what was heard concerns. Answers whether notifications come densely.
fn wake_tasks(context: &Context, heard: &Heard, crowd: &mut Crowd) -> bool {
    let crowded = crowd.is_full(heard.jobs + heard.due + heard.cancels, Instant::now());
    if crowded {
        context.crowded();
    }
    if heard.jobs > 0 {
        context.wake_all();
    }
    if heard.due > 0 {
        context.maintenance.set_due();
    }
    if heard.cancels > 0 {
        context.cancel_asked.notify_one();
    }
    crowded
}

/// How many notifications of each kind came.
#[derive(Debug, Default)]
struct Heard {
    jobs: u32,
    due: u32,
    cancels: u32,
}

impl Heard {
    fn take(
        &mut self,
        message: Option<std::result::Result<AsyncMessage, tokio_postgres::Error>>,
    ) -> Result<()> {
        match message {
            Some(Ok(AsyncMessage::Notification(notification))) => match notification.payload() {
                DUE => self.due += 1,
                CANCEL => self.cancels += 1,
                _ => self.jobs += 1,
            },
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error.into()),
            None => return Err(Error::unavailable("the server closed the connection")),
        }
        Ok(())
    }
}

/// Counts notifications by the rule of the database, so that a worker knows when it sends no more
/// of them.
#[derive(Debug, Default)]
struct Crowd {
    ahead: Option<Instant>,
}

impl Crowd {
    fn is_full(&mut self, heard: u32, now: Instant) -> bool {
        let from = self.ahead.map_or(now, |ahead| ahead.max(now));
        let ahead = from.min(now + APART * 25) + APART * heard.min(25);
        self.ahead = Some(ahead);
        ahead > now + APART * CROWD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_comes_as_densely_as_the_database_sends_at_most_is_a_crowd() {
        let (mut crowd, start) = (Crowd::default(), Instant::now());
        for n in 0..1000 {
            assert!(!crowd.is_full(1, start + n * Duration::from_millis(5)), "{n}");
        }
        let later = start + Duration::from_secs(6);
        let full = (0..30).filter(|_| crowd.is_full(1, later)).count();
        assert_eq!(full, 15);
        assert!(!crowd.is_full(1, later + Duration::from_secs(1)));
        assert!(crowd.is_full(100, later + Duration::from_secs(2)), "all at once");
    }
}
