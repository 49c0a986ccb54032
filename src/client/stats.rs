//! What tenants and queues have waiting, running and done, and why a job waits.

use uuid::Uuid;

use crate::{
    client::Client,
    error::Result,
    protocol::{
        statements::{QUEUE_STATS, TENANT_STATS, WHY_WAITING},
        stats::{
            QueueStats, TenantStats, TenantStatsFilter, TenantStatsPage, WhyWaiting, check_texts,
        },
        tenant::{Owner, Tenant},
    },
};

impl Client {
    /// Lists what tenants have waiting, running and done, one row for each tenant and queue. What
    /// waits is counted at the call; the rest is what the last refresh noted, and
    /// [`TenantStats::age`] tells how old that is.
    ///
    /// ```no_run
    /// # async fn example(client: fairclaim::Client) -> Result<(), fairclaim::Error> {
    /// let busiest = fairclaim::TenantStatsFilter {
    ///     sort: Some("waiting".to_owned()),
    ///     limit: Some(10),
    ///     ..Default::default()
    /// };
    /// for row in client.tenant_stats(&busiest).await?.tenants {
    ///     println!("{} has {} waiting in {}", row.tenant_id, row.waiting, row.queue);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a sort or a limit that
    /// there is not, [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for a
    /// login that is neither operator nor observer.
    pub async fn tenant_stats(&self, filter: &TenantStatsFilter) -> Result<TenantStatsPage> {
        let (queue, search) = (filter.queue.as_deref(), filter.search.as_deref());
        let (sort, after) = (filter.sort.as_deref().unwrap_or("tenant"), filter.after.as_deref());
        check_texts(&[
            ("queue", queue),
            ("search", search),
            ("sort", Some(sort)),
            ("after", after),
        ])?;
        let tenant = filter.tenant.as_ref().map(Tenant::uuid);
        let limit = filter.limit.unwrap_or(100);
        let rows =
            self.rows(&TENANT_STATS, &[&tenant, &queue, &limit, &after, &sort, &search]).await?;
        let next = match rows.last() {
            Some(last) if last.try_get("more")? => last.try_get("next")?,
            _ => None,
        };
        let tenants = rows.iter().map(TenantStats::read).collect::<Result<_>>()?;
        Ok(TenantStatsPage { tenants, next })
    }

    /// Lists what queues have waiting, running and done, by name; `queue`: only that one.
    ///
    /// # Errors
    /// [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for a login that is
    /// neither operator nor observer.
    pub async fn queue_stats(&self, queue: Option<&str>) -> Result<Vec<QueueStats>> {
        check_texts(&[("queue", queue)])?;
        self.rows(&QUEUE_STATS, &[&queue]).await?.iter().map(QueueStats::read).collect()
    }

    /// Tells why a job of this tenant waits, the strongest reason first. An operator may leave the
    /// tenant out, as [`DefaultTenant`](crate::DefaultTenant).
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) for a job that is not there or belongs
    /// to another tenant, [`ErrorKind::TenantMissing`](crate::ErrorKind::TenantMissing) for a
    /// producer that names none where the settings have none,
    /// [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for a login that is
    /// neither producer nor operator.
    pub async fn why_waiting(&self, tenant: impl Into<Owner>, id: Uuid) -> Result<Vec<WhyWaiting>> {
        let tenant = tenant.into().0.as_ref().map(Tenant::uuid);
        self.rows(&WHY_WAITING, &[&tenant, &id]).await?.iter().map(WhyWaiting::read).collect()
    }
}
