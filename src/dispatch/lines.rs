//! The lines of a source, each sent once however often they are sent.

use tokio_postgres::{GenericClient, types::Json};

use super::{Dispatch, batch};
use crate::{
    error::{Error, Result},
    statements::{DISPATCH_LINES, Via},
};

/// A stretch of a source's lines and what they dispatch.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Lines<'a> {
    /// The caller's name for the source, 1 to 255 bytes. Each login has sources of its own.
    pub source: &'a str,
    /// The stretch begins behind this line; 0 is before the first.
    pub after: u64,
    /// Its last line.
    pub through: u64,
    /// What its lines dispatch, at most one job a line.
    pub jobs: &'a [Dispatch],
    /// How many of its lines are left out as refused, for the account.
    pub refused: u32,
    /// A digest of the source's lines up to `through`, to be kept with it.
    pub digest: Option<[u8; 32]>,
    /// A digest of what is filled in where a line says nothing. Another one than the source began with is not accepted.
    pub defaults: Option<[u8; 32]>,
    /// Whether to begin the source again, with `after` 0; only if none of its lines was dispatched.
    pub anew: bool,
}

impl<'a> Lines<'a> {
    /// The lines behind `after` up to `through`, with nothing in them yet.
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

    /// What they dispatch.
    #[must_use]
    pub fn jobs(mut self, jobs: &'a [Dispatch]) -> Self {
        self.jobs = jobs;
        self
    }

    /// How many of them are left out as refused.
    #[must_use]
    pub fn refused(mut self, refused: u32) -> Self {
        self.refused = refused;
        self
    }

    /// What the lines up to `through` are, by a digest of the caller's own making.
    #[must_use]
    pub fn digest(mut self, digest: [u8; 32]) -> Self {
        self.digest = Some(digest);
        self
    }

    /// What is filled in where a line says nothing, by a digest of the caller's own making.
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
    /// Whether this call dispatched what it was given. It does not when the source stands elsewhere, or began with other defaults.
    pub accepted: bool,
    /// The last line that is dealt with.
    pub lines: u64,
    /// How many of the lines so far were dispatched.
    pub dispatched: u64,
    /// How many of them were refused.
    pub refused: u64,
    /// The digest of these lines, if whoever sent them made one of 32 bytes.
    #[serde(skip)]
    pub digest: Option<[u8; 32]>,
    /// The digest of what was filled in, likewise.
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
    batch::check_all(lines.jobs)?;
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
