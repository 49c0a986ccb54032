//! The refused lines: in one file as they came, to be mended and sent; in another one why.
//!
//! An entry is written, as open, before the batch that it belongs to moves on in the database, so
//! that no refusal is lost; then it is kept, or taken back when the batch does not move on. After a
//! death in between, the next run of the same source finds open entries at the end, keeps those up
//! to where the source stands and takes the others back; another source, which cannot know, is
//! refused. Reasons are written first: each says where its line is in the other file, which may
//! then lack it.

mod found;

use std::{
    fs::{File, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use self::found::Unfit;
use super::{item::Reason, private_file::private, reader::Text};
use crate::error::Hinted;

/// One line of the file of reasons.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    source: String,
    line: u64,
    field: String,
    code: String,
    message: String,
    /// Where the refused line begins in its file, and how long it is with its end.
    at: u64,
    bytes: u64,
    /// The last name, so that it can be changed where it stands.
    state: Standing,
}

/// Whether the batch of an entry is known to have moved on. Both have as many letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Standing {
    Open,
    Kept,
}

const OPEN: &[u8] = b"\"open\"}";
const KEPT: &[u8] = b"\"kept\"}";

/// Two open files, locked so that no other run writes them at the same time.
#[derive(Debug)]
pub(super) struct Report {
    path: PathBuf,
    lines: File,
    reasons: File,
    /// What counts: up to where the files are settled.
    lines_end: u64,
    reasons_end: u64,
    /// How many entries of this source stay.
    own: u64,
    /// Reasons that were added and are still open.
    added: Vec<u8>,
}

impl Report {
    /// Opens the files, and takes back what an earlier run of this source wrote for lines that are
    /// yet to be dealt with; also what it kept, if the source begins again.
    pub(super) fn open(
        path: &Path,
        source: &str,
        stands_at: u64,
        anew: bool,
    ) -> anyhow::Result<Self> {
        let reasons_path = reasons_of(path);
        let (lines, reasons) = (open(path)?, open(&reasons_path)?);
        match reasons.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Hinted::usage(
                    format!("another dispatch is writing {}", path.display()),
                    "wait for it, or name another file with --refused",
                )
                .into());
            }
            Err(TryLockError::Error(error)) => return Err(unwritable(&reasons_path, &error)),
        }
        let mut report = Self {
            path: path.to_owned(),
            lines,
            reasons,
            lines_end: 0,
            reasons_end: 0,
            own: 0,
            added: Vec::new(),
        };
        report.settle(source, stands_at, anew).map_err(|unfit| unfit.explain(path))?;
        Ok(report)
    }

    /// Finds where the entries end that stay, and lets go of the others.
    fn settle(&mut self, source: &str, stands_at: u64, anew: bool) -> Result<(), Unfit> {
        let found = self.look(source, stands_at, anew)?;
        self.check(&found)?;
        (self.reasons_end, self.lines_end) = found.kept;
        self.own = found.own;
        self.take_back()?;
        if let Some(begin) = found.open {
            let mut open = Vec::new();
            self.reasons.seek(SeekFrom::Start(begin))?;
            self.reasons.read_to_end(&mut open)?;
            self.reasons.seek(SeekFrom::Start(begin))?;
            self.reasons.write_all(&as_kept(open))?;
        }
        Ok(())
    }

    /// How many lines of this source it holds.
    pub(super) fn holds(&self) -> u64 {
        self.own
    }

    /// Writes what stands to be refused, down to the disk.
    pub(super) fn add<'a>(
        &mut self,
        source: &str,
        refused: impl Iterator<Item = (u64, &'a Text, &'a Reason)> + Clone,
    ) -> anyhow::Result<()> {
        let written = self.write(source, refused);
        written.map_err(|error| unwritable(&self.path, &error))
    }

    fn write<'a>(
        &mut self,
        source: &str,
        refused: impl Iterator<Item = (u64, &'a Text, &'a Reason)> + Clone,
    ) -> io::Result<()> {
        let mut at = self.lines_end;
        let mut reasons = Vec::new();
        for (line, text, reason) in refused.clone() {
            let Reason { field, code, message } = reason.clone();
            let bytes = text.bytes()? + 1;
            let (source, state) = (source.to_owned(), Standing::Open);
            let entry = Entry { source, line, field, code, message, at, bytes, state };
            serde_json::to_writer(&mut reasons, &entry)?;
            reasons.push(b'\n');
            at += bytes;
        }
        if reasons.is_empty() {
            return Ok(());
        }
        self.reasons.write_all(&reasons)?;
        self.added.append(&mut reasons);
        self.reasons.sync_data()?;
        for (_, text, _) in refused {
            text.copy_to(&self.lines)?;
            self.lines.write_all(b"\n")?;
        }
        self.lines.sync_data()
    }

    /// What was added stays.
    pub(super) fn keep(&mut self) -> io::Result<()> {
        let kept = as_kept(std::mem::take(&mut self.added));
        self.own += kept.split_inclusive(|byte| *byte == b'\n').count() as u64;
        self.reasons.seek(SeekFrom::Start(self.reasons_end))?;
        self.reasons.write_all(&kept)?;
        self.reasons_end = self.reasons.stream_position()?;
        self.lines_end = self.lines.stream_position()?;
        Ok(())
    }

    /// What was added since is no more.
    pub(super) fn take_back(&mut self) -> io::Result<()> {
        self.added.clear();
        // in the other order than they are written, so that a reason never lacks its line for good
        for (file, end) in
            [(&mut self.lines, self.lines_end), (&mut self.reasons, self.reasons_end)]
        {
            file.set_len(end)?;
            file.seek(SeekFrom::Start(end))?;
        }
        Ok(())
    }
}

/// Entries that were open.
fn as_kept(mut entries: Vec<u8>) -> Vec<u8> {
    for entry in entries.split_mut(|byte| *byte == b'\n') {
        if entry.ends_with(OPEN) {
            let begin = entry.len() - KEPT.len();
            entry[begin..].copy_from_slice(KEPT);
        }
    }
    entries
}

impl Drop for Report {
    /// Leaves no empty files behind.
    fn drop(&mut self) {
        let is_empty = |file: &File| file.metadata().is_ok_and(|kind| kind.len() == 0);
        if is_empty(&self.lines) && is_empty(&self.reasons) {
            let _ = std::fs::remove_file(&self.path);
            let _ = std::fs::remove_file(reasons_of(&self.path));
        }
    }
}

impl Text {
    fn bytes(&self) -> io::Result<u64> {
        match self {
            Self::Held(text) => Ok(text.len() as u64),
            Self::Spilled(file) => Ok(file.metadata()?.len()),
            Self::Dropped => Ok(0),
        }
    }

    fn copy_to(&self, mut to: &File) -> io::Result<()> {
        match self {
            Self::Held(text) => to.write_all(text),
            Self::Spilled(file) => {
                let mut file = file;
                file.rewind()?;
                io::copy(&mut file, &mut to).map(drop)
            }
            Self::Dropped => Ok(()),
        }
    }
}

fn open(path: &Path) -> anyhow::Result<File> {
    let mut options = File::options();
    private(options.read(true).write(true).create(true).truncate(false))
        .open(path)
        .map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &io::Error) -> anyhow::Error {
    Hinted::usage(
        format!("cannot write {}: {error}", path.display()),
        "--refused names a file that this user may write; then run it again, which goes on where it stood",
    )
    .into()
}

/// The file of reasons beside a file of refused lines.
pub(super) fn reasons_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".reasons");
    name.into()
}

#[cfg(test)]
mod tests;
