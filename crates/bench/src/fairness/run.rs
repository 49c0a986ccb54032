//! Connections that claim and settle, and a board on which they write down who was served.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Result, bail};
use uuid::Uuid;

use crate::claimer::Claimer;
use crate::crew::Crew;
use crate::target::Site;

/// Claims of a connection that plan its statements.
const WARM_UP: u32 = 3;
/// So many empty claims of one connection in a row, while jobs wait, end a run.
const PATIENCE: u32 = 10_000;

/// The size of a claim, and how many claim at the same time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Combination {
    pub(super) claim: i32,
    pub(super) claimers: usize,
}

impl fmt::Display for Combination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.claimers == 1 { "" } else { "s" };
        write!(f, "claims of {} by {} claimer{s}", self.claim, self.claimers)
    }
}

/// What a run has shown.
#[derive(Debug, Clone)]
pub(super) struct Ran {
    pub(super) combination: Combination,
    /// Whose the claimed jobs were, in order.
    pub(super) served: Vec<Uuid>,
    /// Milliseconds of each claim that gave jobs.
    pub(super) took: Vec<f64>,
    pub(super) seconds: f64,
    /// Claims that gave nothing while no other claim was open.
    pub(super) empty: u64,
    /// Claims that gave nothing while another one was open, which may have held what they wanted.
    pub(super) beside: u64,
    /// Newcomers, each with how many jobs had been claimed when it came.
    pub(super) arrivals: Vec<(Uuid, usize)>,
    /// The most jobs of one tenant that were claimed and not settled.
    pub(super) most_at_once: u64,
}

/// One connection.
pub(super) struct Runner {
    claimer: Claimer,
    claims: u32,
}

impl Runner {
    pub(super) async fn several(site: &Site, of: Combination) -> Result<Vec<Self>> {
        let claimers = Claimer::several(site, of.claimers, of.claim).await?;
        Ok(claimers.into_iter().map(|claimer| Self { claimer, claims: 0 }).collect())
    }

    async fn until(mut self, jobs: u64, board: Arc<Mutex<State>>) -> Result<Self> {
        let mut in_vain = 0;
        loop {
            let Some(opened) = state(&board).open(jobs) else { return Ok(self) };
            let start = Instant::now();
            let claimed = self.claimer.claim().await?;
            let took = start.elapsed().as_secs_f64() * 1e3;
            let tenants: Vec<Uuid> = claimed.iter().map(|job| job.tenant).collect();
            self.claims += 1;
            let took = (self.claims > WARM_UP).then_some(took);
            state(&board).close(&opened, &tenants, took);
            in_vain = if tenants.is_empty() { in_vain + 1 } else { 0 };
            if in_vain > PATIENCE {
                bail!("{PATIENCE} claims in a row gave nothing, though jobs wait");
            }
            if !tenants.is_empty() {
                // what the settlement frees can be claimed before its answer is here
                state(&board).settling(&tenants);
                self.claimer.settle().await?;
            }
        }
    }
}

pub(super) struct Board(Arc<Mutex<State>>);

struct State {
    ran: Ran,
    /// Claims that are open, and that were ever opened.
    open: u64,
    opened: u64,
    running: HashMap<Uuid, u64>,
}

/// An open claim.
struct Opened {
    beside_others: bool,
    number: u64,
}

/// A panic elsewhere ends the run by itself.
fn state(board: &Mutex<State>) -> MutexGuard<'_, State> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board {
    pub(super) fn new(combination: Combination) -> Self {
        let ran = Ran {
            combination,
            served: Vec::new(),
            took: Vec::new(),
            seconds: 0.0,
            empty: 0,
            beside: 0,
            arrivals: Vec::new(),
            most_at_once: 0,
        };
        let (open, opened, running) = (0, 0, HashMap::new());
        Self(Arc::new(Mutex::new(State { ran, open, opened, running })))
    }

    /// Runs until so many jobs have been claimed since the board was new.
    pub(super) async fn run(&self, runners: Vec<Runner>, jobs: u64) -> Result<Vec<Runner>> {
        let start = Instant::now();
        let crew = Crew::start(runners, |runner, _| runner.until(jobs, self.0.clone()));
        let runners = crew.ended().await?;
        state(&self.0).ran.seconds += start.elapsed().as_secs_f64();
        Ok(runners)
    }

    /// These tenants have dispatched for the first time.
    pub(super) fn arrived(&self, tenants: impl Iterator<Item = Uuid>) {
        let ran = &mut state(&self.0).ran;
        let now = ran.served.len();
        ran.arrivals.extend(tenants.map(|who| (who, now)));
    }

    pub(super) fn ran(&self) -> Ran {
        state(&self.0).ran.clone()
    }
}

impl State {
    /// None when enough jobs are claimed.
    fn open(&mut self, jobs: u64) -> Option<Opened> {
        if self.ran.served.len() as u64 >= jobs {
            return None;
        }
        self.open += 1;
        self.opened += 1;
        Some(Opened { beside_others: self.open > 1, number: self.opened })
    }

    fn close(&mut self, claim: &Opened, tenants: &[Uuid], took: Option<f64>) {
        self.open -= 1;
        if tenants.is_empty() {
            let alone = !claim.beside_others && claim.number == self.opened;
            *if alone { &mut self.ran.empty } else { &mut self.ran.beside } += 1;
            return;
        }
        self.ran.took.extend(took);
        for who in tenants {
            let running = self.running.entry(*who).or_default();
            *running += 1;
            self.ran.most_at_once = self.ran.most_at_once.max(*running);
        }
        self.ran.served.extend_from_slice(tenants);
    }

    fn settling(&mut self, tenants: &[Uuid]) {
        for who in tenants {
            if let Some(running) = self.running.get_mut(who) {
                *running -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_claim_is_excused_only_by_another_one_that_was_open() {
        let board = Board::new(Combination { claim: 1, claimers: 2 });
        let mut state = state(&board.0);
        let alone = state.open(10).unwrap();
        state.close(&alone, &[], None);
        let (first, second) = (state.open(10).unwrap(), state.open(10).unwrap());
        state.close(&second, &[Uuid::nil()], Some(1.0));
        state.close(&first, &[], None);
        assert_eq!((state.ran.empty, state.ran.beside), (1, 1));
        assert!(state.open(1).is_none(), "one job is claimed");
    }
}
