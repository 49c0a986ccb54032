//! How much write-ahead log a piece of work wrote, full-page images apart: these depend on when the
//! last checkpoint was, not on the design.

use anyhow::Result;
use tokio_postgres::types::Type;

use crate::report::Report;
use crate::target::Site;

/// Where the log stood.
#[derive(Debug)]
pub(crate) struct WalMark {
    at: String,
    images: i64,
}

/// What was written since.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WalWritten {
    /// All bytes, images and alignment included.
    pub(crate) bytes: f64,
    /// Bytes of full-page images.
    pub(crate) image_bytes: f64,
}

impl WalMark {
    pub(crate) async fn set(site: &Site) -> Result<Self> {
        let row = site
            .control
            .query_typed_one(
                "select pg_current_wal_flush_lsn()::text, wal_fpi from pg_stat_wal",
                &[],
            )
            .await?;
        Ok(Self { at: row.get(0), images: row.get(1) })
    }

    /// Exact where the extension `pg_walinspect` may be used; else each image counts as 8 kB, which
    /// is an upper bound.
    pub(crate) async fn since(&self, site: &Site) -> Result<WalWritten> {
        let row = site
            .control
            .query_typed_one(
                "select pg_current_wal_flush_lsn()::text, wal_fpi,
                        (pg_current_wal_flush_lsn() - $1::text::pg_lsn)::float8,
                        to_regproc('pg_get_wal_stats') is not null from pg_stat_wal",
                &[(&self.at, Type::TEXT)],
            )
            .await?;
        let (to, images, bytes): (String, i64, f64) = (row.get(0), row.get(1), row.get(2));
        let mut image_bytes = 8192.0 * (images - self.images) as f64;
        if row.get(3) && bytes > 0.0 {
            let row = site
                .control
                .query_typed_one(
                    "select coalesce(sum(fpi_size), 0)::float8
                       from pg_get_wal_stats($1::text::pg_lsn, $2::text::pg_lsn, false)",
                    &[(&self.at, Type::TEXT), (&to, Type::TEXT)],
                )
                .await?;
            image_bytes = row.get(0);
        }
        Ok(WalWritten { bytes, image_bytes: image_bytes.min(bytes) })
    }
}

impl WalWritten {
    /// Adds bytes per job to a report.
    pub(crate) fn per_job(self, report: &mut Report, what: &str, jobs: u64) {
        let jobs = jobs.max(1) as f64;
        let rest = (self.bytes - self.image_bytes) / jobs;
        report.add(format!("{what}: WAL a job, without full-page images"), "B", rest);
        report.add(format!("{what}: full-page images a job"), "B", self.image_bytes / jobs);
    }
}
