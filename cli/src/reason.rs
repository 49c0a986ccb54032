//! Why an operator changes something, and until when: flags that several commands take.

use std::time::{Duration, SystemTime};

use clap::Args;
use fairclaim::{Because, Client};

use crate::error::Hinted;
use crate::value::{duration, moment};

#[derive(Debug, Args)]
pub(crate) struct ReasonArgs {
    /// Why; it is shown beside the setting and in `fairclaim tenants audit`
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// When it ends by itself: 2027-01-31T09:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<SystemTime>,
    /// After how long it ends by itself: 30m, 2h, 1d
    #[arg(long = "for", value_name = "DURATION", value_parser = duration, conflicts_with = "until")]
    lasting: Option<Duration>,
}

impl ReasonArgs {
    /// Gives the reason; a time is counted from the database's clock.
    pub(crate) async fn because(&self, client: &Client) -> anyhow::Result<Because> {
        let because = self.why.as_deref().map_or_else(Because::default, Because::why);
        let until = match (self.until, self.lasting) {
            (Some(until), _) => Some(until),
            (None, Some(lasting)) => {
                Some(client.clock().await?.checked_add(lasting).ok_or_else(|| {
                    Hinted::usage("--for is too long", "it may be 100 years at most")
                })?)
            }
            (None, None) => None,
        };
        Ok(match until {
            Some(until) => because.until(until),
            None => because,
        })
    }
}
