//! One call that settles, claims, or both, and its answer.

use std::{collections::HashMap, sync::Arc, time::Instant};

use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use crate::{
    error::Result,
    protocol::statements,
    worker::{
        claimed_job::{ClaimOf, ClaimedJob, column},
        connections::{Connection, may_have_happened},
        context::Context,
        held::{hold::HoldKey, lost_claims::SentClaim, settlement::Batch},
        queue::order::Order,
    },
};

/// One round trip of a queue.
pub(super) struct Call<'a> {
    context: &'a Context,
    queue: &'a Arc<str>,
    order: &'a Order,
}

impl<'a> Call<'a> {
    pub(super) fn new(context: &'a Context, queue: &'a Arc<str>, order: &'a Order) -> Self {
        Self { context, queue, order }
    }

    /// Sends it and reads the answer. A claim without one counts as lost: it may have taken jobs.
    pub(super) async fn send(self, connection: Connection<'_>) -> Result<Answer> {
        let (settings, sent_at) = (&self.context.settings, Instant::now());
        let claims = self.order.limit > 0;
        let claim = claims.then(|| self.context.lost_claims.sent(settings.lease));
        let fields = self.fields(claim.as_ref().map(SentClaim::token));
        let patience = settings.call_patience();
        let answer =
            connection.rows(patience, &statements::SETTLE_AND_CLAIM, &fields.in_order()).await;
        let refused = answer.as_ref().is_err_and(|error| !may_have_happened(error));
        // an answer that cannot be read is none
        let answer = answer.and_then(|rows| self.read(&rows, sent_at));
        if let Some(claim) = claim.filter(|_| refused || answer.is_ok()) {
            claim.answered();
        }
        answer
    }

    fn fields(&self, lease_token: Option<Uuid>) -> Fields<'a> {
        let (settings, order) = (&self.context.settings, self.order);
        Fields {
            worker_id: &settings.worker_id,
            settlements: Batch::new(&order.settlements),
            queues: vec![self.queue],
            limit: i32::try_from(order.limit).unwrap_or(i32::MAX),
            types: &self.context.types,
            lease: settings.lease.as_secs_f64(),
            cursor: order.cursor.as_deref(),
            lease_token,
            idle_for: order.idle_for.as_secs_f64(),
        }
    }

    fn read(&self, rows: &[Row], sent_at: Instant) -> Result<Answer> {
        let claim = ClaimOf {
            registry: &self.context.registry,
            queue: self.queue,
            sent_at,
            lease: self.context.settings.lease,
        };
        let mut answer = Answer::default();
        for row in rows {
            match row.try_get(column::KIND)? {
                "claimed" => answer.jobs.push(claim.job(row)?),
                "settled" | "already" | "stale" => {
                    let key = (row.try_get(column::ID)?, row.try_get(column::ATTEMPT)?);
                    answer.settled.insert(key, row.try_get(column::STATUS)?);
                }
                "next" => {
                    answer.cursor = row.try_get(column::NEXT_CURSOR)?;
                    answer.cancelled = row.try_get(column::CANCELLED)?;
                    answer.suspect_waiting = row.try_get(column::SUSPECT_WAITING)?;
                }
                _ => {} // of a later version
            }
        }
        debug_assert!(self.order.limit > 0 || answer.jobs.is_empty());
        Ok(answer)
    }
}

/// The values that the statement takes.
struct Fields<'a> {
    worker_id: &'a str,
    settlements: Batch<'a>,
    queues: Vec<&'a str>,
    limit: i32,
    types: &'a [String],
    lease: f64,
    cursor: Option<&'a str>,
    lease_token: Option<Uuid>,
    idle_for: f64,
}

impl Fields<'_> {
    /// Lists the values in the order of `protocol/statements/settle_and_claim.sql`.
    fn in_order(&self) -> [&(dyn ToSql + Sync); 15] {
        [
            &self.worker_id,
            &self.settlements.ids,
            &self.settlements.attempts,
            &self.settlements.tokens,
            &self.settlements.words,
            &self.settlements.results,
            &self.settlements.errors,
            &self.settlements.delays,
            &self.queues,
            &self.limit,
            &self.types,
            &self.lease,
            &self.cursor,
            &self.lease_token,
            &self.idle_for,
        ]
    }
}

/// What the database answered.
#[derive(Default)]
pub(super) struct Answer {
    /// The jobs that the claim took.
    pub(super) jobs: Vec<ClaimedJob>,
    /// The new status of those that did not simply become completed; none for a stale one.
    pub(super) settled: HashMap<HoldKey, Option<String>>,
    pub(super) cursor: Option<String>,
    /// Jobs of this worker that are to be cancelled.
    pub(super) cancelled: Option<Vec<Uuid>>,
    /// A job waits that is to run alone.
    pub(super) suspect_waiting: bool,
}
