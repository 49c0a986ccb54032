//! `tick()` once a second, as any worker calls it, for scenarios that have no worker.

use std::time::Duration;

use anyhow::Result;

use crate::crew::Crew;
use crate::target::Site;

/// Ticks until it is stopped.
pub(crate) async fn start(site: &Site) -> Result<Crew<()>> {
    let session = site.session().await?;
    Ok(Crew::start([session], |session, stop| async move {
        let statement = session.prepare("select busy from fairclaim.tick()").await?;
        let mut clock = tokio::time::interval(Duration::from_secs(1));
        while stop.run_until_cancelled(clock.tick()).await.is_some() {
            session.query_one(&statement, &[]).await?;
        }
        Ok(())
    }))
}
