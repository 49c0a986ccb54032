//! Tasks that work at once: connections that dispatch, claim or tick, and the library's workers.

use anyhow::{Result, bail};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Running tasks. They are aborted when it is dropped.
#[derive(Debug)]
pub(crate) struct Crew<T> {
    tasks: JoinSet<Result<T>>,
    stop: CancellationToken,
}

impl<T: Send + 'static> Crew<T> {
    /// Starts one task for each member. The token tells it when to stop, unless it ends by itself.
    pub(crate) fn start<Member, Task>(
        members: impl IntoIterator<Item = Member>,
        task: impl Fn(Member, CancellationToken) -> Task,
    ) -> Self
    where
        Task: Future<Output = Result<T>> + Send + 'static,
    {
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        for member in members {
            tasks.spawn(task(member, stop.clone()));
        }
        Self { tasks, stop }
    }

    /// Fails if a task has ended before it was told to.
    pub(crate) fn check(&mut self) -> Result<()> {
        if let Some(done) = self.tasks.try_join_next() {
            done??;
            bail!("a worker stopped before it was told to");
        }
        Ok(())
    }

    /// Waits until all have ended by themselves; answers what each of them answers.
    pub(crate) async fn ended(mut self) -> Result<Vec<T>> {
        let mut answers = Vec::new();
        while let Some(done) = self.tasks.join_next().await {
            answers.push(done??);
        }
        Ok(answers)
    }

    /// Tells them to stop, and waits until they have.
    pub(crate) async fn stop(self) -> Result<Vec<T>> {
        self.stop.cancel();
        self.ended().await
    }
}
