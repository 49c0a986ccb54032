//! The flags that scenarios share, and how their values are checked.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use serde::Serialize;

/// A scenario's own flags, and those that all have. `--quick` chooses other defaults for both.
#[derive(Debug, Args)]
pub(crate) struct Run<O: Args> {
    #[command(flatten)]
    pub(crate) flags: O,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Flags that all scenarios have.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// How often it is repeated; the median counts
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) reps: Option<u32>,
    /// One JSON document instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// Tiny sizes, to see that it works; the figures mean nothing
    #[arg(long)]
    pub(crate) quick: bool,
}

impl Common {
    /// The size of a real or of a quick run.
    pub(crate) fn shrunk<T>(&self, real: T, quick: T) -> T {
        if self.quick { quick } else { real }
    }
}

/// Who works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Through {
    /// The worker runtime of the library, with handlers that do nothing
    Worker,
    /// Plain connections that claim and settle: what the protocol costs by itself
    Sql,
}

/// What each of the library's workers may do at once.
#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct Fleet {
    /// Handlers at once in one worker
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = within::<usize>(1..=10_000))]
    pub(crate) concurrency: usize,
    /// Connections of one worker for claims and settlements
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = within::<usize>(1..=8))]
    pub(crate) connections: usize,
    /// The most jobs that a worker claims or settles in one call
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = within::<usize>(1..=1_000))]
    pub(crate) max_batch: usize,
}

/// A number between two that both are allowed. NaN is between none.
pub(crate) fn within<T>(
    bounds: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text| {
        text.parse().ok().filter(|number| bounds.contains(number)).ok_or_else(|| {
            format!("it must be a number from {} to {}", bounds.start(), bounds.end())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_within_its_bounds_or_refused() {
        let (claim, rate) = (within(1..=1000), within(0.5..=10.0));
        assert_eq!((claim("1"), claim("1000"), rate("0.5")), (Ok(1), Ok(1000), Ok(0.5)));
        for bad in ["0", "1001", "-1", "1.5", "", "many", "99999999999999999999"] {
            assert_eq!(claim(bad).unwrap_err(), "it must be a number from 1 to 1000", "{bad}");
        }
        for bad in ["0", "NaN", "inf", "-inf", "1e9"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }
}
