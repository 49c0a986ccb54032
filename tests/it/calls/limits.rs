//! Limits of running jobs, as an operator sets them.

use uuid::Uuid;

use crate::support::GenericClient;

/// What a limit counts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound<'queue> {
    /// The jobs of one tenant in all queues.
    Tenant(Uuid),
    /// The jobs of one tenant in one queue.
    TenantIn(Uuid, &'queue str),
    /// The jobs of each tenant that has no limit of its own over all queues.
    Default,
    /// The jobs in one queue of each tenant that has no limit of its own there.
    DefaultIn(&'queue str),
    /// The jobs of all tenants in one queue.
    Queue(&'queue str),
}

impl<'queue> Bound<'queue> {
    fn key(self) -> (&'static str, Uuid, &'queue str) {
        match self {
            Self::Tenant(tenant) => ("tenant", tenant, ""),
            Self::TenantIn(tenant, queue) => ("tenant", tenant, queue),
            Self::Default => ("default", Uuid::nil(), ""),
            Self::DefaultIn(queue) => ("default", Uuid::nil(), queue),
            Self::Queue(queue) => ("queue", Uuid::nil(), queue),
        }
    }
}

/// Sets a limit, changes it, or takes it away, and leaves a note for the next tick. As the owner of the tables.
pub(crate) async fn set_limit(owner: &impl GenericClient, bound: Bound<'_>, max: Option<i32>) {
    let (subject, tenant, queue) = bound.key();
    let note = "insert into fairclaim_internal.limit_note default values";
    owner.execute(note, &[]).await.expect("a note");
    let Some(max) = max else {
        let sql = "delete from fairclaim_internal.running_limit
                    where subject = $1 and tenant_id = $2 and queue = $3";
        owner.execute(sql, &[&subject, &tenant, &queue]).await.expect("no limit");
        return;
    };
    let sql = "insert into fairclaim_internal.running_limit (subject, tenant_id, queue, max_running)
               values ($1, $2, $3, $4)
               on conflict (tenant_id, queue, subject) do update set max_running = excluded.max_running";
    owner.execute(sql, &[&subject, &tenant, &queue, &max]).await.expect("a limit");
}
