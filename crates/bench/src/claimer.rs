//! A worker reduced to its SQL: claims, and settles everything as completed. It shows what the
//! protocol costs, without a runtime around it.

use anyhow::{Result, bail, ensure};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};
use uuid::Uuid;

use crate::target::{Session, Site};

const CLAIM: &str = "select id, tenant_id, payload, attempts, lease_token, next_cursor
  from fairclaim.claim_jobs($1, $2, $3, $5, $6, $4)";
const SETTLE: &str = "select kind = 'settled' from fairclaim.settle_jobs($1, $2, $3, $4, $5)";
const TURN: &str = "select id, tenant_id, payload, attempts, lease_token, next_cursor, kind
  from fairclaim.settle_and_claim($1, $2, $3, $4, $5, null, null, null, $6, $7, $9, 30, $8)";

const REFUSED: &str = "a settlement was refused: is a lease too short?";

type Parameter<'a> = &'a (dyn ToSql + Sync);

/// One claimer on one connection, with its place in the round.
pub(crate) struct Claimer {
    session: Session,
    claim: Statement,
    settle: Statement,
    turn: Statement,
    name: String,
    queues: Vec<String>,
    types: Option<Vec<String>>,
    limit: i32,
    /// Seconds.
    lease: f64,
    cursor: Option<String>,
    held: Held,
}

/// What it has claimed and not settled.
#[derive(Default)]
struct Held {
    ids: Vec<Uuid>,
    attempts: Vec<i32>,
    tokens: Vec<Uuid>,
}

/// One claimed job.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub(crate) tenant: Uuid,
    pub(crate) payload: serde_json::Value,
}

impl Claimer {
    /// As many as there shall be, with a number each.
    pub(crate) async fn several(site: &Site, number: usize, limit: i32) -> Result<Vec<Self>> {
        let mut claimers = Vec::new();
        for number in 0..number {
            claimers.push(Self::open(site, format!("bench-{number}"), limit).await?);
        }
        Ok(claimers)
    }

    pub(crate) async fn open(site: &Site, name: String, limit: i32) -> Result<Self> {
        let session = site.session().await?;
        let claim = session.prepare(CLAIM).await?;
        let settle = session.prepare(SETTLE).await?;
        let turn = session.prepare(TURN).await?;
        let (queues, held) = (vec![site.queue.clone()], Held::default());
        let (types, cursor, lease) = (None, None, 30.0);
        Ok(Self { session, claim, settle, turn, name, queues, types, limit, lease, cursor, held })
    }

    /// Claims for so many seconds.
    pub(crate) fn with_lease(mut self, seconds: f64) -> Self {
        self.lease = seconds;
        self
    }

    /// Asks for jobs of these types only, as a worker with a handler for each of them does.
    pub(crate) fn naming(mut self, types: Vec<String>) -> Self {
        self.types = Some(types);
        self
    }

    pub(crate) async fn claim(&mut self) -> Result<Vec<Claimed>> {
        let parameters: [Parameter; 6] =
            [&self.name, &self.queues, &self.limit, &self.cursor, &self.types, &self.lease];
        let rows = self.session.query(&self.claim, &parameters).await?;
        Ok(rows.iter().map(|row| self.hold(row)).collect())
    }

    /// Settles what it holds.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        let Held { ids, attempts, tokens } = std::mem::take(&mut self.held);
        if ids.is_empty() {
            return Ok(());
        }
        let outcomes = vec!["complete"; ids.len()];
        let parameters: [Parameter; 5] = [&self.name, &ids, &attempts, &tokens, &outcomes];
        let rows = self.session.query(&self.settle, &parameters).await?;
        ensure!(rows.iter().all(|row| row.get(0)), REFUSED);
        Ok(())
    }

    /// Settles what it holds and claims again in one round trip; answers how many it settled.
    pub(crate) async fn turn(&mut self) -> Result<(u64, Vec<Claimed>)> {
        let Held { ids, attempts, tokens } = std::mem::take(&mut self.held);
        let outcomes = vec!["complete"; ids.len()];
        let settlements: [Parameter; 5] = [&self.name, &ids, &attempts, &tokens, &outcomes];
        let claim: [Parameter; 4] = [&self.queues, &self.limit, &self.cursor, &self.types];
        let parameters = [&settlements[..], &claim[..]].concat();
        let rows = self.session.query(&self.turn, &parameters).await?;
        let (settled, rest) = rows.split_at(ids.len());
        ensure!(settled.iter().all(|row| row.get::<_, &str>(6) == "settled"), REFUSED);
        let Some((next, claimed)) = rest.split_last() else { bail!("the last row is missing") };
        let claimed = claimed.iter().map(|row| self.hold(row)).collect();
        self.cursor = next.get(5);
        Ok((ids.len() as u64, claimed))
    }

    fn hold(&mut self, row: &Row) -> Claimed {
        self.held.ids.push(row.get(0));
        self.held.attempts.push(row.get(3));
        self.held.tokens.push(row.get(4));
        self.cursor = row.get(5);
        Claimed { tenant: row.get(1), payload: row.get(2) }
    }
}
