//! Dispatches jobs: one in the transaction that the caller has, many in few calls, and the lines of
//! a source.

mod lines;
mod many;

use tokio_postgres::{GenericClient, types::Json};
use uuid::Uuid;

pub(crate) use self::{
    lines::send_lines,
    many::{is_one_call, send_many},
};
pub use self::{
    lines::{Lines, LinesProgress},
    many::dispatch_many_in,
};
use crate::{
    client::{executor::Executor, via::Via},
    error::Result,
    protocol::{
        dispatch::{Dispatch, Due},
        json,
        statements::DISPATCH,
        tenant::Tenant,
    },
};

impl Dispatch {
    /// Dispatches the job on this connection or in this transaction, with which it commits or rolls
    /// back.
    ///
    /// ```no_run
    /// # async fn example(client: fairclaim::Client, invoice: i64, mail: fairclaim::Dispatch)
    /// # -> Result<(), Box<dyn std::error::Error>> {
    /// let mut connection = client.pool().get().await?;
    /// let transaction = connection.transaction().await?;
    /// transaction.execute("update invoice set sent = true where id = $1", &[&invoice]).await?;
    /// mail.execute(&transaction).await?;
    /// transaction.commit().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument),
    /// [`ErrorKind::QuotaExceeded`](crate::ErrorKind::QuotaExceeded) or
    /// [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing); nothing is written
    /// then, and a transaction is aborted as after any error of the server.
    pub async fn execute<E: Executor>(self, on: &E) -> Result<Uuid> {
        self.send(&Via::whole(on.driver())).await
    }

    /// Sends the job in one call.
    pub(crate) async fn send<C: GenericClient + Sync>(self, via: &Via<'_, C>) -> Result<Uuid> {
        self.check()?;
        let metadata = json::to_raw("metadata", &self.metadata)?;
        let (at, after) = match self.due {
            Due::Now => (None, None),
            Due::At(at) => (Some(at), None),
            Due::After(delay) => (None, Some(delay.as_secs_f64())),
        };
        // the database makes the id of the name, and remembers the name
        let name = self.tenant.0.as_ref().and_then(Tenant::name);
        let id = self.tenant.0.as_ref().filter(|_| name.is_none()).map(Tenant::uuid);
        let row = DISPATCH
            .row_via(
                via,
                &[
                    &id,
                    &self.job_type,
                    &Json(&self.payload),
                    &self.queue,
                    &self.priority,
                    &at,
                    &self.max_attempts,
                    &self.timeout.map(|timeout| timeout.as_secs_f64()),
                    &self.tags,
                    &Json(&metadata),
                    &name,
                    &after,
                    &self.key,
                    &self.keep_order,
                ],
            )
            .await?;
        Ok(row.try_get(0)?)
    }
}
