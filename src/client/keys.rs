//! Keys inside a tenant, as operators set them.

use crate::{
    client::Client,
    error::{Error, Result},
    protocol::{statements::SET_KEY_LIMIT, tenant::Owner},
};

impl Client {
    /// Sets how many jobs of a key of this tenant may run at once: 0 to 10,000; none takes the limit
    /// away. A key with `*` at its end stands for all keys that begin so. For each key its own limit
    /// holds, else that of the longest prefix, else 1. Answers the limit before.
    ///
    /// ```no_run
    /// # async fn example(client: fairclaim::Client) -> Result<(), fairclaim::Error> {
    /// client.set_key_limit(fairclaim::Tenant::named("acme")?, "import:*", Some(3)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for what is no key or no
    /// limit, [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for a login that is
    /// no operator.
    pub async fn set_key_limit(
        &self,
        tenant: impl Into<Owner>,
        key: &str,
        max_running: Option<i32>,
    ) -> Result<Option<i32>> {
        if key.contains('\0') {
            return Err(Error::invalid_argument("key", "must not hold a NUL"));
        }
        let tenant = tenant.into().0.map(|tenant| tenant.uuid());
        let rows = self.rows(&SET_KEY_LIMIT, &[&tenant, &key, &max_running]).await?;
        rows.first().map_or(Ok(None), |row| Ok(row.try_get(0)?))
    }
}
