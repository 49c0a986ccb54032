//! Puts jobs in for a while, one or many a call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::classic;
use crate::crew::Crew;
use crate::load::{self, Kind, TYPE, document, tenant};
use crate::target::Site;

/// How a job gets in: the statement for one job, and the one for many.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) name: &'static str,
    single: &'static str,
    bulk: &'static str,
}

pub(crate) const BARE: Way =
    Way { name: "bare INSERT", single: classic::INSERT, bulk: classic::INSERT_MANY };

pub(crate) const DISPATCHED: Way =
    Way { name: "dispatch", single: load::DISPATCH, bulk: load::DISPATCH_MANY };

/// What goes in, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Push {
    pub(crate) way: Way,
    pub(crate) connections: usize,
    /// Jobs of one call.
    pub(crate) jobs: usize,
    pub(crate) tenants: u64,
    pub(crate) seconds: f64,
    pub(crate) kind: Kind,
}

impl Push {
    /// Answers how many jobs went in, and how many a second.
    pub(crate) async fn run(&self, site: &Site) -> Result<(u64, f64)> {
        let sessions = site.sessions(self.connections).await?;
        // made beforehand: writing JSON is the caller's work, the same for both ways
        let whose: Vec<_> = (0..self.jobs as u64).map(|job| tenant(job % self.tenants)).collect();
        let document: Arc<str> = document(&whose, &site.queue, self.kind).into();
        let payloads: Arc<[String]> = (0..16).map(|number| self.kind.payload(number)).collect();
        let (start, end) = (Instant::now(), Duration::from_secs_f64(self.seconds));
        let crew = Crew::start((0_u64..).zip(sessions), |(number, session), _| {
            let (queue, push) = (site.queue.clone(), *self);
            let (document, payloads) = (document.clone(), payloads.clone());
            async move {
                let Push { way, jobs, .. } = push;
                let text = if jobs == 1 { way.single } else { way.bulk };
                let statement = session.prepare(text).await?;
                let mut payloads = payloads.iter().cycle();
                let mut done = 0;
                while start.elapsed() < end {
                    if jobs == 1 {
                        let who = tenant((number * 7_919 + done) % push.tenants);
                        let payload = payloads.next();
                        session.query(&statement, &[&who, &TYPE, &payload, &queue]).await?;
                    } else {
                        session.query(&statement, &[&&*document]).await?;
                    }
                    done += jobs as u64;
                }
                Ok(done)
            }
        });
        let total = crew.ended().await?.iter().sum();
        Ok((total, total as f64 / start.elapsed().as_secs_f64()))
    }
}
