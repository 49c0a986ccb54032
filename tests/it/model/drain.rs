//! The end of a case: whatever is left can be claimed and completed, each job once more.

use super::{
    play::Game,
    rules::Given,
    state::{Known, Place, QUEUES},
    steps::Claim,
};

/// Longer than any pause; a wish to cancel, a limit and a lease may each need a tick of its own.
const AN_HOUR_AND_MORE: u32 = 2 * 3600;
const ROUNDS: usize = 12;

impl Game {
    /// Takes away what holds jobs back, and runs everything to its end.
    pub(super) async fn drain(&mut self) -> Result<(), String> {
        for queue in QUEUES {
            self.pause(queue, false).await?;
        }
        for key in self.model.limits.keys() {
            self.limit(key, None).await;
        }
        for _ in 0..ROUNDS {
            let all: Vec<Given> = self.model.held().into_iter().map(completed).collect();
            self.settle(0, &all).await?;
            self.advance(AN_HOUR_AND_MORE).await?;
            self.tick().await?;
            let everything = |alone| Claim {
                worker: 0,
                limit: Some(1_000),
                queues: 0,
                types: 0,
                lease: 3600,
                goes_on: true,
                alone,
            };
            self.claim(&everything(false)).await?;
            let waits = |job: &&Known| job.lost >= 2 && job.place == Place::Waiting;
            for _ in 0..self.model.jobs.values().filter(waits).count() {
                self.claim(&everything(true)).await?; // one at a time
            }
            if self.model.jobs.values().all(|job| matches!(job.place, Place::Finished(_))) {
                return super::audit::audit(&self.database, &mut self.model).await;
            }
        }
        let left = self.model.jobs.iter().find(|(_, job)| !matches!(job.place, Place::Finished(_)));
        Err(format!("in the end there is still {left:?}"))
    }
}

fn completed(lease: super::state::Lease) -> Given {
    Given { lease, outcome: "complete", result: None, error: None, delay: None }
}
