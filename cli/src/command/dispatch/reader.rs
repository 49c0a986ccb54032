//! From bytes to batches of lines. Memory is bounded by a batch, whatever the file's size and however long a line is.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
};

use fairclaim::Dispatch;
use tokio::sync::mpsc::Sender;

use super::item::{Defaults, Reason, parse};

/// A longer line is refused: a payload of the largest size, written as wastefully as JSON allows, is shorter.
const LINE_BYTES_MAX: usize = 8 << 20;
/// What one call dispatches at most.
pub(super) const BATCH_LINES: usize = 5_000;
const BATCH_BYTES: usize = 4 << 20;

/// A line as it came, for the report of refused ones.
#[derive(Debug)]
pub(super) enum Text {
    Held(Vec<u8>),
    /// Too long to be held: in a file of its own that has no name any more.
    Spilled(File),
    /// Too long, and nobody wants it.
    Dropped,
}

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
}

/// Reads an input line by line, on a thread of its own.
pub(super) struct Reader<R> {
    pub(super) input: BufReader<R>,
    pub(super) defaults: Defaults,
    /// Lines up to this one are dealt with.
    pub(super) skip: u64,
    /// Where lines that are too long are kept until they are reported.
    pub(super) spill: Option<PathBuf>,
    /// Whether whoever writes the input may make it wait.
    pub(super) live: bool,
}

impl<R: Read> Reader<R> {
    /// Sends batches until the input ends, or until nobody takes them any more.
    pub(super) fn run(mut self, batches: &Sender<io::Result<Batch>>) {
        let (mut batch, mut held) = (Batch::default(), 0);
        loop {
            let waits = self.live && self.input.buffer().is_empty() && batches.capacity() > 0;
            if held >= BATCH_BYTES || batch.items.len() >= BATCH_LINES || waits {
                let done = (batch.through, batch.bytes);
                if done.0 > self.skip
                    && batches.blocking_send(Ok(std::mem::take(&mut batch))).is_err()
                {
                    return;
                }
                (batch.through, batch.bytes) = done;
                self.skip = self.skip.max(done.0);
                held = 0;
            }
            match self.line(&mut batch) {
                Ok(Some(bytes)) => held += bytes,
                Ok(None) => break,
                Err(error) => {
                    let _ = batches.blocking_send(Err(error));
                    return;
                }
            }
        }
        if batch.through > self.skip {
            let _ = batches.blocking_send(Ok(batch));
        }
    }

    /// Reads one line into the batch; answers how many bytes it holds there, or none at the end of the input.
    fn line(&mut self, batch: &mut Batch) -> io::Result<Option<usize>> {
        let mut line = Vec::new();
        let limit = LINE_BYTES_MAX as u64 + 1;
        let read = self.input.by_ref().take(limit).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        batch.through += 1;
        batch.bytes += read as u64;
        let (number, ended) = (batch.through, line.ends_with(b"\n"));
        let too_long = read > LINE_BYTES_MAX && !ended;
        if ended {
            line.pop();
        }
        if number == 1 && line.starts_with(b"\xef\xbb\xbf") {
            line.drain(..3);
        }
        if too_long {
            let text = self.rest_of(line, number, batch)?;
            if number > self.skip {
                let reason = Reason::bad("line", "must be at most 8 MiB");
                batch.items.push(Item { line: number, text, job: Err(reason) });
            }
            return Ok(Some(BATCH_BYTES)); // one such line a batch: each has a file open
        }
        if number <= self.skip || line.iter().all(u8::is_ascii_whitespace) {
            return Ok(Some(0));
        }
        let bytes = line.len();
        let job = parse(line.strip_suffix(b"\r").unwrap_or(&line), &self.defaults);
        batch.items.push(Item { line: number, text: Text::Held(line), job });
        Ok(Some(bytes))
    }

    /// Reads on to the end of a line that is too long, without holding it.
    fn rest_of(&mut self, begin: Vec<u8>, number: u64, batch: &mut Batch) -> io::Result<Text> {
        let wanted = self.spill.as_deref().filter(|_| number > self.skip);
        let mut spill = wanted.map(nameless).transpose()?;
        if let Some(file) = &mut spill {
            file.write_all(&begin)?;
        }
        drop(begin);
        loop {
            let part = self.input.fill_buf()?;
            let end = part.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(part.len(), |at| at + 1);
            if let Some(file) = &mut spill {
                file.write_all(&part[..end.unwrap_or(taken)])?;
            }
            self.input.consume(taken);
            batch.bytes += taken as u64;
            if end.is_some() || taken == 0 {
                return Ok(spill.map_or(Text::Dropped, Text::Spilled));
            }
        }
    }
}

/// A file beside the report that goes with its last handle.
fn nameless(beside: &Path) -> io::Result<File> {
    let mut path = beside.as_os_str().to_owned();
    path.push(format!(".{}", uuid::Uuid::new_v4().simple()));
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fairclaim::Tenant;

    /// A batch: its last line, and the lines in it with the field that is wrong with them.
    type Seen = (u64, Vec<(u64, Option<String>)>);

    /// The batches of a text, each as its last line and the lines in it with what is wrong with them.
    fn batches(text: &[u8], skip: u64) -> Vec<Seen> {
        let defaults = Defaults {
            tenant: Some(Tenant::named("acme").unwrap()),
            job_type: Some("mail".to_owned()),
            job: super::super::Options::default(),
            now: std::time::SystemTime::UNIX_EPOCH,
        };
        let input = BufReader::new(io::Cursor::new(text.to_vec()));
        let (sender, mut batches) = tokio::sync::mpsc::channel(1_000);
        Reader { input, defaults, skip, spill: None, live: false }.run(&sender);
        drop(sender);
        let mut seen = Vec::new();
        while let Some(batch) = batches.blocking_recv() {
            let batch = batch.unwrap();
            let lines = batch.items.into_iter();
            let lines = lines.map(|item| (item.line, item.job.err().map(|reason| reason.field)));
            seen.push((batch.through, lines.collect()));
        }
        seen
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
        assert_eq!(batches(b"{}\n", 9), []);
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
}
