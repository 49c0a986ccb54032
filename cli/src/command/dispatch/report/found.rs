//! What an earlier run left in the two files, and whether it may be written to.

use std::{
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use super::{Entry, Report, Standing, reasons_of, unwritable};
use crate::error::Hinted;

/// Why two files are not written to.
pub(super) enum Unfit {
    Io(io::Error),
    /// They are not as they were written.
    Changed,
    /// They end with open entries of this other source.
    Interrupted(String),
    /// They have kept entries of this source for lines that are to be dealt with again.
    Again,
}

impl From<io::Error> for Unfit {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What is found in the file of reasons.
#[derive(Default)]
pub(super) struct Found {
    /// Where the entries that stay end, in it and in the file of lines.
    pub(super) kept: (u64, u64),
    /// Where the lines end that are taken back, and whether some of them were kept before.
    back: Vec<u64>,
    was_kept: bool,
    /// Where the first entry begins that is open and stays.
    pub(super) open: Option<u64>,
    /// How many of this source stay.
    pub(super) own: u64,
    /// Whether the last entry was not written to its end.
    torn: bool,
}

impl Report {
    /// Reads the reasons.
    pub(super) fn look(&self, source: &str, stands_at: u64, anew: bool) -> Result<Found, Unfit> {
        let (mut found, mut read, length) = (Found::default(), 0, self.reasons.metadata()?.len());
        for line in BufReader::new(&self.reasons).split(b'\n') {
            let (line, begin) = (line?, read);
            read += line.len() as u64 + 1;
            let entry = serde_json::from_slice::<Entry>(&line).ok().filter(|_| read <= length);
            let Some(entry) = entry else {
                found.torn = true;
                break;
            };
            let (is_own, is_open) = (entry.source == source, entry.state == Standing::Open);
            let end = entry.at + entry.bytes;
            if is_own && entry.line > stands_at {
                if !is_open && !anew {
                    return Err(Unfit::Again);
                }
                found.was_kept |= !is_open;
                found.back.push(end);
                continue;
            }
            if !is_own && is_open {
                return Err(Unfit::Interrupted(entry.source));
            }
            if !found.back.is_empty() {
                return Err(Unfit::Again); // what would be taken back is not at the end
            }
            if is_open {
                found.open.get_or_insert(begin);
            }
            found.own += u64::from(is_own);
            found.kept = (read, end);
        }
        // only the end may be torn
        if found.torn && read < length { Err(Unfit::Changed) } else { Ok(found) }
    }

    /// Whether the file of lines is as it was written: whole, or torn in what is taken back.
    pub(super) fn check(&self, found: &Found) -> Result<(), Unfit> {
        let (length, kept) = (self.lines.metadata()?.len(), found.kept.1);
        let last = found.back.last().copied().unwrap_or(kept);
        // lines are written when the reasons are, so that a torn reason has no line
        let is_short = length < last && (found.was_kept || found.back.is_empty());
        if length < kept || length > last || is_short || found.torn && length > kept {
            return Err(Unfit::Changed);
        }
        for end in [kept].into_iter().chain(found.back.iter().copied()) {
            if end > 0 && end <= length && !self.ends_at(end)? {
                return Err(Unfit::Changed);
            }
        }
        // a line that was not written to its end has none
        let is_whole = length == kept || found.back.contains(&length);
        if !is_whole && self.ends_at(length)? { Err(Unfit::Changed) } else { Ok(()) }
    }

    /// Tells whether a line ends here.
    fn ends_at(&self, end: u64) -> io::Result<bool> {
        let (mut file, mut byte) = (&self.lines, [0]);
        file.seek(SeekFrom::Start(end - 1))?;
        file.read_exact(&mut byte)?;
        Ok(byte == *b"\n")
    }
}

impl Unfit {
    pub(super) fn explain(self, path: &Path) -> anyhow::Error {
        let (file, reasons) = (path.display(), reasons_of(path));
        match self {
            Self::Io(error) => unwritable(path, &error),
            Self::Changed => Hinted::usage(
                format!("{file} and {} do not belong together", reasons.display()),
                "name another file with --refused, and keep these until their lines are mended",
            )
            .into(),
            Self::Interrupted(source) => Hinted::usage(
                format!("{file} ends with lines of a dispatch that was interrupted, of the source {source}"),
                "run that one again, which settles them, or name another file with --refused",
            )
            .into(),
            Self::Again => Hinted::usage(
                format!("{file} holds refused lines of this source that are now dealt with again"),
                "name another file with --refused, and do not send these lines as well",
            )
            .into(),
        }
    }
}
