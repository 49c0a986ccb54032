//! Dispatches the lines of a source. Each line is dispatched once, however often it is sent.

use tokio_postgres::{GenericClient, types::Json};

use super::many;
use crate::{
    client::via::Via,
    error::{Error, Result},
    protocol::{dispatch::Dispatch, statements::DISPATCH_LINES},
};

/// A stretch of a source's lines and what they dispatch.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Lines<'a> {
    /// The caller's name for the source, 1 to 255 bytes. Each login has sources of its own.
    pub source: &'a str,
    /// The line behind which the stretch begins; 0 is before the first.
    pub after: u64,
    /// The last line of the stretch.
    pub through: u64,
    /// The jobs of its lines, at most one a line.
    pub jobs: &'a [Dispatch],
    /// How many of its lines are left out as refused. The database adds them up.
    pub refused: u32,
    /// A digest of the source's lines up to `through`, which the database keeps.
    pub digest: Option<[u8; 32]>,
    /// A digest of what is filled in where a line says nothing. Only the digest that the source
    /// began with is accepted.
    pub defaults: Option<[u8; 32]>,
    /// Whether to begin the source again, with `after` 0. That is possible only if none of its
    /// lines was dispatched.
    pub anew: bool,
}

impl<'a> Lines<'a> {
    /// Makes a stretch of the lines behind `after` up to `through`, with no jobs yet.
    #[must_use]
    pub fn of(source: &'a str, after: u64, through: u64) -> Self {
        Self {
            source,
            after,
            through,
            jobs: &[],
            refused: 0,
            digest: None,
            defaults: None,
            anew: false,
        }
    }

    /// Sets the jobs of the lines.
    #[must_use]
    pub fn jobs(mut self, jobs: &'a [Dispatch]) -> Self {
        self.jobs = jobs;
        self
    }

    /// Sets how many of the lines are left out as refused.
    #[must_use]
    pub fn refused(mut self, refused: u32) -> Self {
        self.refused = refused;
        self
    }

    /// Sets a digest of the lines up to `through`, of the caller's own making.
    #[must_use]
    pub fn digest(mut self, digest: [u8; 32]) -> Self {
        self.digest = Some(digest);
        self
    }

    /// Sets a digest of what is filled in where a line says nothing, of the caller's own making.
    #[must_use]
    pub fn defaults(mut self, defaults: [u8; 32]) -> Self {
        self.defaults = Some(defaults);
        self
    }

    /// Begins the source again if none of its lines was dispatched.
    #[must_use]
    pub fn anew(mut self, anew: bool) -> Self {
        self.anew = anew;
        self
    }
}

/// Where a source stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct LinesProgress {
    /// Whether this call dispatched its jobs. It does not if the source stands elsewhere, or began
    /// with other defaults.
    pub accepted: bool,
    /// The last line that was dispatched or refused.
    pub lines: u64,
    /// How many of the lines so far were dispatched.
    pub dispatched: u64,
    /// How many of them were refused.
    pub refused: u64,
    /// The digest of these lines, if their sender made one of 32 bytes.
    #[serde(skip)]
    pub digest: Option<[u8; 32]>,
    /// The digest of what was filled in, if their sender made one of 32 bytes.
    #[serde(skip)]
    pub defaults: Option<[u8; 32]>,
}

/// Sends the stretch in one call, which is a transaction by itself.
pub(crate) async fn send_lines<C: GenericClient + Sync>(
    via: &Via<'_, C>,
    lines: Lines<'_>,
) -> Result<LinesProgress> {
    if lines.source.contains('\0') {
        return Err(Error::invalid_argument("source", "must not hold a NUL"));
    }
    many::check_all(lines.jobs)?;
    let number = |line: u64| i64::try_from(line).unwrap_or(i64::MAX);
    let row = DISPATCH_LINES
        .row_via(
            via,
            &[
                &lines.source,
                &number(lines.after),
                &number(lines.through),
                &Json(lines.jobs),
                &i32::try_from(lines.refused).unwrap_or(i32::MAX),
                &lines.digest.as_ref().map(<[u8; 32]>::as_slice),
                &lines.defaults.as_ref().map(<[u8; 32]>::as_slice),
                &lines.anew,
            ],
        )
        .await?;
    let count = |column| row.try_get(column).map(i64::unsigned_abs);
    let digest = |column| {
        let bytes: Option<&[u8]> = row.try_get(column)?;
        Ok::<_, tokio_postgres::Error>(bytes.and_then(|bytes| bytes.try_into().ok()))
    };
    Ok(LinesProgress {
        accepted: row.try_get(0)?,
        lines: count(1)?,
        dispatched: count(2)?,
        refused: count(3)?,
        digest: digest(4)?,
        defaults: digest(5)?,
    })
}
