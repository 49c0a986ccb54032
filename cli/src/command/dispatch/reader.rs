//! From bytes to batches of lines. Memory is bounded by a batch, whatever the file's size and
//! however long a line is.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    path::PathBuf,
};

use fairclaim::Dispatch;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::Sender;

use super::item::{Defaults, Reason, parse};

/// How long a line may be: a payload of the largest size, written as wastefully as JSON allows, is
/// shorter.
const LINE_BYTES_MAX: usize = 8 << 20;
/// How much one call dispatches at most.
pub(super) const BATCH_LINES: usize = 5_000;
const BATCH_BYTES: usize = 4 << 20;

/// A line as it came, for the report of refused ones.
#[derive(Debug)]
pub(super) enum Text {
    Held(Vec<u8>),
    /// The line is too long to be held: it is in a file of its own that has no name any more.
    Spilled(File),
    /// The line is too long, and refused lines are not kept.
    Dropped,
}

/// A digest of all lines up to one, without those that are blank: each is hashed, and that with
/// what was before it.
pub(super) type Mark = [u8; 32];

/// A line that is not blank.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) line: u64,
    pub(super) text: Text,
    pub(super) job: Result<Dispatch, Reason>,
}

/// Successive lines.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) items: Vec<Item>,
    /// The last line of it.
    pub(super) through: u64,
    /// How far into the input that is.
    pub(super) bytes: u64,
    /// The digests up to before its first line, which stands as line 0 here, and up to each.
    pub(super) marks: Vec<(u64, Mark)>,
    /// Whether another line begins behind it that has no end yet.
    pub(super) unfinished: bool,
}

/// Why there are no more batches.
#[derive(Debug)]
pub(super) enum Fault {
    Read(io::Error),
    /// The input ends after this many lines, which are fewer than are dealt with.
    Ends(u64),
    /// The lines that are dealt with were different ones.
    Differs,
}

/// Finds the digest of the lines up to one among the digests of a batch.
pub(super) fn mark_at(marks: &[(u64, Mark)], line: u64) -> Option<Mark> {
    let behind = marks.partition_point(|(known, _)| *known <= line);
    marks.get(behind.checked_sub(1)?).map(|(_, mark)| *mark)
}

/// Reads an input line by line, on a thread of its own.
pub(super) struct Reader<R> {
    pub(super) input: BufReader<R>,
    pub(super) defaults: Defaults,
    /// The line up to which all are dealt with.
    pub(super) skip: u64,
    /// What they were, if that is known.
    pub(super) expected: Option<Mark>,
    /// Whether the input may grow, or be another one next time: then its lines are digested, and a
    /// last one without an end is left for the next run, unless it is good. What is known by its
    /// content needs neither.
    pub(super) grows: bool,
    /// The digest of the lines that were read.
    pub(super) mark: Mark,
    /// Where lines that are too long are kept until they are reported.
    pub(super) spill: Option<PathBuf>,
    /// Whether the input may come with pauses, as from a pipe.
    pub(super) live: bool,
}

/// What was read next.
enum Piece {
    /// A line, and how many bytes of it the batch holds.
    Line(usize),
    /// A line that has no end yet and is not counted.
    Unfinished,
    End,
}

impl<R: Read> Reader<R> {
    /// Sends batches until the input ends, or until the receiver is gone.
    pub(super) fn run(mut self, batches: &Sender<Result<Batch, Fault>>) {
        if let Err(fault) = self.read(batches) {
            let _ = batches.blocking_send(Err(fault));
        }
    }

    fn read(&mut self, batches: &Sender<Result<Batch, Fault>>) -> Result<(), Fault> {
        let (mut batch, mut held, begin) = (Batch::default(), 0, self.skip);
        loop {
            let waits = self.live && self.input.buffer().is_empty() && batches.capacity() > 0;
            if held >= BATCH_BYTES || batch.items.len() >= BATCH_LINES || waits {
                let done = (batch.through, batch.bytes);
                if done.0 > self.skip
                    && batches.blocking_send(Ok(std::mem::take(&mut batch))).is_err()
                {
                    return Ok(());
                }
                (batch.through, batch.bytes) = done;
                self.skip = self.skip.max(done.0);
                held = 0;
            }
            if batch.items.is_empty() {
                batch.marks.clear();
                batch.marks.push((0, self.mark));
            }
            match self.line(&mut batch).map_err(Fault::Read)? {
                Piece::Line(bytes) => held += bytes,
                Piece::Unfinished => batch.unfinished = true,
                Piece::End => break,
            }
            if batch.through == begin && self.expected.is_some_and(|mark| mark != self.mark) {
                return Err(Fault::Differs);
            }
        }
        if batch.through < begin {
            return Err(Fault::Ends(batch.through));
        }
        if batch.through > self.skip || batch.unfinished {
            let _ = batches.blocking_send(Ok(batch));
        }
        Ok(())
    }

    /// Reads one line into the batch.
    fn line(&mut self, batch: &mut Batch) -> io::Result<Piece> {
        let mut line = Vec::new();
        let limit = LINE_BYTES_MAX as u64 + 1;
        let read = self.input.by_ref().take(limit).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(Piece::End);
        }
        let (number, mut ended) = (batch.through + 1, line.ends_with(b"\n"));
        let too_long = read > LINE_BYTES_MAX && !ended;
        if ended {
            line.pop();
        }
        if number == 1 && line.starts_with(b"\xef\xbb\xbf") {
            line.drain(..3);
        }
        let is_blank = line.iter().all(u8::is_ascii_whitespace);
        let (mut hash, mut all) = (self.grows.then(Sha256::new), read);
        let is_new = number > self.skip;
        let (text, job) = if too_long {
            let (text, rest) = self.rest_of(line, is_new, &mut hash)?;
            (all, ended) = (read + rest.bytes, rest.ended);
            (text, is_new.then(|| Err(Reason::bad("line", "must be at most 8 MiB"))))
        } else {
            hash = hash.map(|hash| hash.chain_update(line.trim_ascii_end()));
            let parsed = line.strip_suffix(b"\r").unwrap_or(&line);
            let job = (is_new && !is_blank).then(|| parse(parsed, &self.defaults));
            (Text::Held(line), job)
        };
        if !ended && self.grows && is_new && !matches!(job, Some(Ok(_))) {
            return Ok(if is_blank { Piece::Line(0) } else { Piece::Unfinished });
        }
        batch.through = number;
        batch.bytes += all as u64;
        if is_blank && !too_long {
            return Ok(Piece::Line(0));
        }
        if let Some(hash) = hash {
            let both = Sha256::new().chain_update(self.mark).chain_update(hash.finalize());
            self.mark = both.finalize().into();
        }
        let Some(job) = job else { return Ok(Piece::Line(0)) };
        batch.items.push(Item { line: number, text, job });
        batch.marks.push((number, self.mark));
        // one line that is too long a batch: each has a file open
        Ok(Piece::Line(if too_long { BATCH_BYTES } else { read }))
    }

    /// Reads on to the end of a line that is too long, without holding it.
    fn rest_of(
        &mut self,
        begin: Vec<u8>,
        wanted: bool,
        hash: &mut Option<Sha256>,
    ) -> io::Result<(Text, Rest)> {
        let wanted = self.spill.as_deref().filter(|_| wanted);
        let mut spill = wanted.map(super::private_file::nameless).transpose()?;
        if let Some(file) = &mut spill {
            file.write_all(&begin)?;
        }
        if let Some(hash) = hash {
            hash.update(&begin);
        }
        drop(begin);
        let mut rest = Rest { bytes: 0, ended: false };
        loop {
            let part = self.input.fill_buf()?;
            let end = part.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(part.len(), |at| at + 1);
            let text = &part[..end.unwrap_or(taken)];
            if let Some(file) = &mut spill {
                file.write_all(text)?;
            }
            if let Some(hash) = hash {
                hash.update(text);
            }
            self.input.consume(taken);
            rest.bytes += taken;
            rest.ended = end.is_some();
            if rest.ended || taken == 0 {
                return Ok((spill.map_or(Text::Dropped, Text::Spilled), rest));
            }
        }
    }
}

/// Answers what came behind the begin of a line that is too long.
struct Rest {
    bytes: usize,
    ended: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use fairclaim::Tenant;

    /// A batch: its last line, and the lines in it with the field that is wrong with them.
    type Seen = (u64, Vec<(u64, Option<String>)>);

    /// The batches of a text, each as its last line and the lines in it with what is wrong with
    /// them.
    fn batches(text: &[u8], skip: u64) -> Vec<Seen> {
        let (batches, fault) = read(text, skip, None, false);
        assert!(fault.is_none(), "{fault:?}");
        let fields = |items: Vec<Item>| {
            items.into_iter().map(|item| (item.line, item.job.err().map(|reason| reason.field)))
        };
        batches.into_iter().map(|batch| (batch.through, fields(batch.items).collect())).collect()
    }

    fn read(
        text: &[u8],
        skip: u64,
        expected: Option<Mark>,
        grows: bool,
    ) -> (Vec<Batch>, Option<Fault>) {
        let defaults = Defaults {
            tenant: Some(Tenant::named("acme").unwrap()),
            job_type: Some("mail".to_owned()),
            job: super::super::JobOptions::default(),
            now: std::time::SystemTime::UNIX_EPOCH,
        };
        let input = BufReader::new(io::Cursor::new(text.to_vec()));
        let (sender, mut batches) = tokio::sync::mpsc::channel(1_000);
        let mark = [0; 32];
        Reader { input, defaults, skip, expected, grows, mark, spill: None, live: false }
            .run(&sender);
        drop(sender);
        let (mut seen, mut fault) = (Vec::new(), None);
        while let Some(batch) = batches.blocking_recv() {
            match batch {
                Ok(batch) => seen.push(batch),
                Err(error) => fault = Some(error),
            }
        }
        (seen, fault)
    }

    /// The digest of all lines of a text.
    fn mark_of(text: &[u8]) -> Mark {
        read(text, 0, None, true).0.last().unwrap().marks.last().unwrap().1
    }

    fn good(lines: &[u64]) -> Vec<(u64, Option<String>)> {
        lines.iter().map(|line| (*line, None)).collect()
    }

    #[test]
    fn lines_end_as_they_do_on_any_system_and_blank_ones_are_passed_over() {
        assert_eq!(batches(b"{}\n{}\n", 0), [(2, good(&[1, 2]))]);
        assert_eq!(batches(b"{}\n{}", 0), [(2, good(&[1, 2]))]);
        assert_eq!(batches(b"\xef\xbb\xbf{}\r\n\r\n \n{}\r\n\n", 0), [(5, good(&[1, 4]))]);
        assert_eq!(batches(b"", 0), []);
        assert_eq!(batches(b"\n", 0), [(1, vec![])]);
    }

    #[test]
    fn lines_that_are_dealt_with_are_not_looked_at() {
        assert_eq!(batches(b"{}\n{}\n{}\n", 2), [(3, good(&[3]))]);
        assert_eq!(batches(b"{}\n{}\n{}\n", 3), []);
        let ends = read(b"{}\n", 9, None, false);
        assert!(matches!(ends, (_, Some(Fault::Ends(1)))), "{ends:?}");
    }

    #[test]
    fn batches_are_bounded_by_lines_and_by_bytes() {
        let many = "{}\n".repeat(2 * BATCH_LINES + 1);
        let throughs: Vec<u64> = batches(many.as_bytes(), 0).iter().map(|batch| batch.0).collect();
        assert_eq!(throughs, [5_000, 10_000, 10_001]);
        let long = format!("{{\"payload\": \"{}\"}}\n", "x".repeat(1 << 20)).repeat(5);
        let throughs: Vec<u64> = batches(long.as_bytes(), 0).iter().map(|batch| batch.0).collect();
        assert_eq!(throughs, [4, 5]);
    }

    #[test]
    fn a_line_that_is_too_long_is_refused_and_the_next_one_read() {
        let text = format!("{{}}\n\"{}\"\n{{}}\n", "x".repeat(LINE_BYTES_MAX));
        let seen = batches(text.as_bytes(), 0);
        let first = vec![(1, None), (2, Some("line".to_owned()))];
        assert_eq!(seen, [(2, first), (3, good(&[3]))]);
    }

    #[test]
    fn other_lines_than_were_dealt_with_are_seen_and_other_line_ends_are_not() {
        let mark = mark_of(b"{\"payload\": 1}\n{}\n");
        for same in [
            "{\"payload\": 1}\n{}\n{}\n",
            "\u{feff}{\"payload\": 1}\r\n{}",
            "{\"payload\": 1}\n{} \n",
        ] {
            let seen = read(same.as_bytes(), 2, Some(mark), true);
            assert!(seen.1.is_none(), "{same:?}: {seen:?}");
        }
        for other in [
            "{\"payload\": 2}\n{}\n",
            "{}\n{\"payload\": 1}\n",
            "{\"payload\": 1}\n\n{}\n",
            "{\"payload\": 1}{\n}\n",
        ] {
            let seen = read(other.as_bytes(), 2, Some(mark), true);
            assert!(matches!(seen, (_, Some(Fault::Differs))), "{other:?}: {seen:?}");
        }
    }

    #[test]
    fn what_may_still_be_written_is_left_unless_it_is_good() {
        let long = "x".repeat(LINE_BYTES_MAX + 9);
        for (text, through, unfinished) in [
            ("{}\n{\"payl", 1, true),
            ("{}\n  ", 1, false),
            ("{}\n{}", 2, false),
            ("{\"", 0, true),
            (&long, 0, true),
        ] {
            let seen = read(text.as_bytes(), 0, None, true).0;
            let last = seen.last().map_or((0, false), |batch| (batch.through, batch.unfinished));
            assert_eq!(last, (through, unfinished), "{:?}", text.get(..20));
            let all = read(text.as_bytes(), 0, None, false).0;
            let last = all.last().unwrap();
            assert_eq!((last.through, last.unfinished), (text.lines().count() as u64, false));
        }
    }

    #[test]
    fn the_digest_at_a_blank_line_is_that_of_the_line_before_it() {
        let marks = read(b"\n{}\n\n{\"payload\": 1}\n", 0, None, true).0.remove(0).marks;
        assert_eq!(mark_at(&marks, 1), Some([0; 32]));
        assert_eq!(mark_at(&marks, 3), mark_at(&marks, 2));
        assert_eq!(mark_at(&marks, 3), Some(mark_of(b"{}")));
        assert_ne!(mark_at(&marks, 4), mark_at(&marks, 3));
    }
}
