//! The refused lines: in one file as they came, to be mended and sent; in another one why.
//!
//! An entry is written before the batch that it belongs to moves on in the database, so that no refusal is lost, and taken
//! back when the batch does not move on. After a death in between, the next run finds entries beyond where the source stands
//! and takes them back. Reasons are written first: each says where its line is in the other file, which may then lack it.

use std::{
    fs::{File, TryLockError},
    io::{self, BufRead, BufReader, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{item::Reason, reader::Text};
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
}

/// Two open files that nobody else writes at the same time.
#[derive(Debug)]
pub(super) struct Report {
    path: PathBuf,
    lines: File,
    reasons: File,
    /// What counts: up to where the files are settled.
    lines_end: u64,
    reasons_end: u64,
}

impl Report {
    /// Opens the files, and takes back what an earlier run of this source wrote for lines that are yet to be dealt with.
    pub(super) fn open(path: &Path, source: &str, stands_at: u64) -> anyhow::Result<Self> {
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
        let mut report =
            Self { path: path.to_owned(), lines, reasons, lines_end: 0, reasons_end: 0 };
        report.settle(source, stands_at).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => Hinted::usage(
                format!("{} and {} do not belong together", path.display(), reasons_path.display()),
                "name another file with --refused, and keep these until their lines are mended",
            )
            .into(),
            _ => unwritable(path, &error),
        })?;
        Ok(report)
    }

    /// Finds where the entries end that stay.
    fn settle(&mut self, source: &str, stands_at: u64) -> io::Result<()> {
        let (mut read, mut kept, mut torn) = (0, (0, 0), false);
        let mut last = (0, 0);
        for line in BufReader::new(&self.reasons).split(b'\n') {
            let line = line?;
            read += line.len() as u64 + 1;
            let Ok(entry) = serde_json::from_slice::<Entry>(&line) else {
                torn = true;
                break;
            };
            last = (read, entry.at + entry.bytes);
            if entry.source != source || entry.line <= stands_at {
                kept = last;
            }
        }
        let found = (self.reasons.metadata()?.len(), self.lines.metadata()?.len());
        // only the end may be torn, and lines may be missing only for reasons that are taken back
        let fits = kept == found || torn || kept != last;
        if !fits || found.1 < kept.1 || torn && read < found.0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        (self.reasons_end, self.lines_end) = kept;
        self.take_back()
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
            let entry = Entry { source: source.to_owned(), line, field, code, message, at, bytes };
            serde_json::to_writer(&mut reasons, &entry)?;
            reasons.push(b'\n');
            at += bytes;
        }
        if reasons.is_empty() {
            return Ok(());
        }
        self.reasons.write_all(&reasons)?;
        self.reasons.sync_data()?;
        for (_, text, _) in refused {
            text.copy_to(&self.lines)?;
            self.lines.write_all(b"\n")?;
        }
        self.lines.sync_data()
    }

    /// What was added stays.
    pub(super) fn keep(&mut self) -> io::Result<()> {
        self.reasons_end = self.reasons.stream_position()?;
        self.lines_end = self.lines.stream_position()?;
        Ok(())
    }

    /// What was added since is no more.
    pub(super) fn take_back(&mut self) -> io::Result<()> {
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
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
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
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let name = format!("fc-report-{}", uuid::Uuid::new_v4().simple());
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn file(&self) -> PathBuf {
            self.0.join("refused.jsonl")
        }

        fn lines(&self) -> String {
            std::fs::read_to_string(self.file()).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn add(report: &mut Report, lines: &[u64]) {
        let reason = Reason::bad("type", "is missing");
        let texts: Vec<_> =
            lines.iter().map(|line| Text::Held(format!("line {line}").into_bytes())).collect();
        let refused = lines.iter().zip(&texts).map(|(line, text)| (*line, text, &reason));
        report.add("s", refused).unwrap();
    }

    #[test]
    fn what_is_kept_stays_and_what_is_taken_back_goes() {
        let folder = Folder::new();
        let mut report = Report::open(&folder.file(), "s", 0).unwrap();
        add(&mut report, &[1, 3]);
        report.keep().unwrap();
        add(&mut report, &[7]);
        report.take_back().unwrap();
        add(&mut report, &[8]);
        report.keep().unwrap();
        drop(report);
        assert_eq!(folder.lines(), "line 1\nline 3\nline 8\n");
    }

    #[test]
    fn after_a_death_entries_of_lines_that_are_yet_to_come_are_taken_back() {
        let folder = Folder::new();
        let mut report = Report::open(&folder.file(), "s", 0).unwrap();
        add(&mut report, &[1]);
        report.keep().unwrap();
        add(&mut report, &[5, 6]);
        drop(report); // killed before the batch moved on
        let report = Report::open(&folder.file(), "s", 5).unwrap();
        drop(report);
        assert_eq!(folder.lines(), "line 1\nline 5\n", "5 is dealt with, 6 is not");
        drop(Report::open(&folder.file(), "another", 0).unwrap());
        assert_eq!(folder.lines(), "line 1\nline 5\n", "another source's are let be");
    }

    #[test]
    fn a_death_between_the_two_files_is_mended() {
        let folder = Folder::new();
        let mut report = Report::open(&folder.file(), "s", 0).unwrap();
        add(&mut report, &[1]);
        report.keep().unwrap();
        add(&mut report, &[2]);
        drop(report);
        let whole = std::fs::read(reasons_of(&folder.file())).unwrap();
        // the line was not written, or only half of it; the reason was not written to its end
        for (lines, reasons) in
            [("line 1\n", whole.len()), ("line 1\nli", whole.len()), ("line 1\n", whole.len() - 9)]
        {
            std::fs::write(folder.file(), lines).unwrap();
            std::fs::write(reasons_of(&folder.file()), &whole[..reasons]).unwrap();
            drop(Report::open(&folder.file(), "s", 1).unwrap());
            assert_eq!(folder.lines(), "line 1\n");
        }
    }

    #[test]
    fn a_file_that_somebody_has_mended_is_not_written_over() {
        let folder = Folder::new();
        let mut report = Report::open(&folder.file(), "s", 0).unwrap();
        add(&mut report, &[1]);
        report.keep().unwrap();
        drop(report);
        for edited in ["line 1\nmore\n", "li\n", ""] {
            std::fs::write(folder.file(), edited).unwrap();
            let error = Report::open(&folder.file(), "s", 1).unwrap_err();
            assert!(error.to_string().contains("do not belong together"), "{edited:?}: {error}");
            assert_eq!(folder.lines(), edited);
        }
    }

    #[test]
    fn two_do_not_write_one_report() {
        let folder = Folder::new();
        let first = Report::open(&folder.file(), "s", 0).unwrap();
        let error = Report::open(&folder.file(), "s", 0).unwrap_err();
        assert!(error.to_string().contains("another dispatch is writing"), "{error}");
        drop(first);
        assert!(!folder.file().exists(), "no empty file stays");
    }
}
