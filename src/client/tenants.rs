//! Settings of tenants and queues, as operators and deployments change them: weights, limits,
//! quotas and pauses.

use serde_json::Value as Json;
use uuid::Uuid;

use crate::{
    client::Client,
    error::{Error, Result},
    protocol::{
        bound::{AuditEntry, Because, Bound, BoundChange, DeclaredChange, TenantChange},
        statements::{
            AUDIT, DECLARE_LIMITS, LIMITS, PAUSE_TENANT, RESUME_TENANT, SET_DEFAULT_LIMIT,
            SET_DEFAULT_QUOTA, SET_LIMIT, SET_QUEUE_LIMIT, SET_QUOTA, SET_WEIGHT, Statement, Value,
        },
        tenant::Tenant,
    },
};

/// All of these are for operators. `None` for a value takes the override away, and what was
/// declared is in force again. `None` for a queue means all queues together.
impl Client {
    /// Sets a tenant's weight (1 to 100): its share of the turns among the tenants with a backlog.
    /// It holds for what waits already from the next tick on.
    ///
    /// ```no_run
    /// # async fn example(client: fairclaim::Client) -> Result<(), fairclaim::Error> {
    /// use fairclaim::{Because, Tenant};
    ///
    /// let acme = Tenant::named("acme")?;
    /// let change = client.set_weight(&acme, Some(3), None, &Because::why("it pays more")).await?;
    /// assert_eq!(change.bound.in_force, Some(3));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a value out of its
    /// bounds, [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for a login that
    /// is no operator.
    pub async fn set_weight(
        &self,
        tenant: &Tenant,
        weight: Option<i32>,
        queue: Option<&str>,
        because: &Because,
    ) -> Result<BoundChange> {
        let id = tenant.uuid();
        self.set_bound(
            &SET_WEIGHT,
            &[&id, &weight, &queue, &because.why, &because.until],
            queue,
            because,
        )
        .await
    }

    /// Limits how many jobs of a tenant run at the same time (0 to 1,000,000).
    ///
    /// # Errors
    /// As [`Client::set_weight`].
    pub async fn set_limit(
        &self,
        tenant: &Tenant,
        max_running: Option<i32>,
        queue: Option<&str>,
        because: &Because,
    ) -> Result<BoundChange> {
        let id = tenant.uuid();
        self.set_bound(
            &SET_LIMIT,
            &[&id, &max_running, &queue, &because.why, &because.until],
            queue,
            because,
        )
        .await
    }

    /// Limits how many jobs of each tenant run at the same time, for every tenant that has no limit
    /// of its own there.
    ///
    /// # Errors
    /// As [`Client::set_weight`].
    pub async fn set_default_limit(
        &self,
        max_running: Option<i32>,
        queue: Option<&str>,
        because: &Because,
    ) -> Result<BoundChange> {
        self.set_bound(
            &SET_DEFAULT_LIMIT,
            &[&max_running, &queue, &because.why, &because.until],
            queue,
            because,
        )
        .await
    }

    /// Limits how many jobs of a queue run at the same time, those of all tenants together.
    ///
    /// # Errors
    /// As [`Client::set_weight`].
    pub async fn set_queue_limit(
        &self,
        queue: &str,
        max_running: Option<i32>,
        because: &Because,
    ) -> Result<BoundChange> {
        self.set_bound(
            &SET_QUEUE_LIMIT,
            &[&queue, &max_running, &because.why, &because.until],
            Some(queue),
            because,
        )
        .await
    }

    /// Limits how many jobs of a tenant wait (0 to 2,000,000,000). `refuses`: a dispatch beyond it
    /// is refused; else it is accepted and counted.
    ///
    /// # Errors
    /// As [`Client::set_weight`].
    pub async fn set_quota(
        &self,
        tenant: &Tenant,
        max_waiting: Option<i32>,
        queue: Option<&str>,
        refuses: bool,
        because: &Because,
    ) -> Result<BoundChange> {
        let id = tenant.uuid();
        self.set_bound(
            &SET_QUOTA,
            &[&id, &max_waiting, &queue, &because.why, &because.until, &refuses],
            queue,
            because,
        )
        .await
    }

    /// Limits how many jobs of each tenant wait, for every tenant that has no quota of its own
    /// there.
    ///
    /// # Errors
    /// As [`Client::set_weight`].
    pub async fn set_default_quota(
        &self,
        max_waiting: Option<i32>,
        queue: Option<&str>,
        refuses: bool,
        because: &Because,
    ) -> Result<BoundChange> {
        self.set_bound(
            &SET_DEFAULT_QUOTA,
            &[&max_waiting, &queue, &because.why, &because.until, &refuses],
            queue,
            because,
        )
        .await
    }

    /// Stops a tenant: claims that begin after this give none of its jobs. Dispatch and running
    /// jobs go on.
    ///
    /// # Errors
    /// As [`Client::set_weight`].
    pub async fn pause_tenant(&self, tenant: &Tenant, because: &Because) -> Result<TenantChange> {
        because.check()?;
        let row = self.row(&PAUSE_TENANT, &[&tenant.uuid(), &because.why, &because.until]).await?;
        TenantChange::read(&row)
    }

    /// Lets claims have the jobs of a paused tenant again, and wakes the workers.
    ///
    /// # Errors
    /// As [`Client::set_weight`].
    pub async fn resume_tenant(&self, tenant: &Tenant, why: Option<&str>) -> Result<TenantChange> {
        no_nul("why", why)?;
        TenantChange::read(&self.row(&RESUME_TENANT, &[&tenant.uuid(), &why]).await?)
    }

    /// Declares the base of all settings, as a deployment does. What the document says is set, and
    /// what an earlier one said and this one does not is removed. Overrides stay. The same document
    /// again changes nothing. With `dry_run` it says what it would change and changes nothing.
    ///
    /// ```no_run
    /// # async fn example(client: fairclaim::Client) -> Result<(), fairclaim::Error> {
    /// let document = serde_json::json!({
    ///     "default": {"max_running": 5},
    ///     "queues": {"mail": {"max_running": 100}},
    ///     "tenants": {"acme": {"weight": 3, "max_running": 8, "max_waiting": 10_000}},
    /// });
    /// for change in client.declare_limits(&document, false, Some("build 7")).await? {
    ///     println!("{} {}", change.change, change.what);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a document that cannot
    /// be read, of which [`Error::path_in`] tells the place;
    /// [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for a login that is no
    /// operator.
    pub async fn declare_limits(
        &self,
        document: &Json,
        dry_run: bool,
        why: Option<&str>,
    ) -> Result<Vec<DeclaredChange>> {
        no_nul("why", why)?;
        let rows = self.rows(&DECLARE_LIMITS, &[&document, &dry_run, &why]).await?;
        rows.iter().map(DeclaredChange::read).collect()
    }

    /// Shows the settings of a tenant and the defaults that apply to it, all of them or those that
    /// concern a queue.
    ///
    /// # Errors
    /// As [`Client::set_weight`].
    pub async fn limits_of(&self, tenant: &Tenant, queue: Option<&str>) -> Result<Vec<Bound>> {
        self.show_limits(Some(tenant.uuid()), queue, None, 1).await
    }

    /// Shows the defaults, the limits of queues, and the settings of a page of tenants by their
    /// ids: at most `limit` tenants (1 to 10,000), those after `after`. Defaults and queues are on
    /// the first page.
    ///
    /// # Errors
    /// As [`Client::set_weight`].
    pub async fn limits(
        &self,
        queue: Option<&str>,
        after: Option<Uuid>,
        limit: i32,
    ) -> Result<Vec<Bound>> {
        self.show_limits(None, queue, after, limit).await
    }

    /// Lists what operators and deployments have changed, newest first: at most `limit` changes (1
    /// to 10,000), those before the number `before`.
    ///
    /// # Errors
    /// As [`Client::set_weight`].
    pub async fn audit(&self, limit: i32, before: Option<i64>) -> Result<Vec<AuditEntry>> {
        let rows = self.rows(&AUDIT, &[&limit, &before]).await?;
        rows.iter().map(AuditEntry::read).collect()
    }

    async fn show_limits(
        &self,
        tenant: Option<Uuid>,
        queue: Option<&str>,
        after: Option<Uuid>,
        limit: i32,
    ) -> Result<Vec<Bound>> {
        no_nul("queue", queue)?;
        let rows = self.rows(&LIMITS, &[&tenant, &queue, &after, &limit]).await?;
        rows.iter().map(Bound::read).collect()
    }

    async fn set_bound(
        &self,
        statement: &Statement,
        values: &[Value<'_>],
        queue: Option<&str>,
        because: &Because,
    ) -> Result<BoundChange> {
        no_nul("queue", queue)?;
        because.check()?;
        BoundChange::read(&self.row(statement, values).await?)
    }
}

/// Refuses what the server could not even read.
fn no_nul(field: &str, text: Option<&str>) -> Result<()> {
    if text.is_some_and(|text| text.contains('\0')) {
        return Err(Error::invalid_argument(field, "must not hold a NUL"));
    }
    Ok(())
}
