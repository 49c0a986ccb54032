//! Sends batches so that each line is dispatched once: the database moves the source on in the same
//! transaction, and a repeated batch finds it moved. Lines that the database refuses are taken out
//! one by one.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use fairclaim::{Client, Dispatch, Error, ErrorKind, Lines, LinesProgress, dispatch_many_in};
use indicatif::ProgressBar;

use super::{
    item::Reason,
    origin::Origin,
    reader::{BATCH_LINES, Batch, Item, Mark, Text, mark_at},
    report::Report,
};
use crate::error::Hinted;

/// How long to wait for a database that went away.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How many lines are rehearsed at once after a refusal: each bad one of them costs one more
/// rehearsal.
const WARY_LINES: usize = 64;
/// How many reasons stderr shows.
const SHOWN: usize = 20;

/// The one who sends a source.
pub(super) struct Sender<'a> {
    client: &'a Client,
    origin: &'a Origin,
    pub(super) report: Option<Report>,
    /// Where the source stands, as the database last said.
    pub(super) stands: LinesProgress,
    /// Where another run has moved the source meanwhile, and what the lines up to there were.
    moved: Option<(u64, Mark)>,
    /// How many lines go in one call: fewer after a refusal, since each costs a call.
    limit: usize,
    /// The progress, drawn on the terminal on which reasons are shown.
    bar: ProgressBar,
    shown: usize,
}

/// The lines of one call.
struct Piece {
    through: u64,
    /// The digest of the lines up to that one.
    mark: Mark,
    jobs: Vec<Dispatch>,
    /// The number and the text of each line that is a job.
    texts: Vec<(u64, Text)>,
    refused: Vec<(u64, Text, Reason)>,
}

/// How a call ended.
enum Answer {
    Stands { now: LinesProgress, unsure: bool },
    Refused { at: Option<usize>, reason: Reason },
}

impl<'a> Sender<'a> {
    /// Sends the lines behind the one where the source stands.
    pub(super) fn new(
        client: &'a Client,
        origin: &'a Origin,
        stands: LinesProgress,
        report: Option<Report>,
        bar: ProgressBar,
    ) -> Self {
        let limit = BATCH_LINES;
        Self { client, origin, report, stands, moved: None, limit, bar, shown: 0 }
    }

    /// Deals with a batch, in as many calls as it takes.
    pub(super) async fn send(&mut self, batch: Batch) -> anyhow::Result<()> {
        let marks = batch.marks;
        let mut items = VecDeque::from(batch.items);
        loop {
            self.compare(&marks, batch.through)?;
            if self.stands.lines >= batch.through {
                return Ok(());
            }
            while items.front().is_some_and(|item| item.line <= self.stands.lines) {
                items.pop_front();
            }
            let mut piece = Piece::cut(&mut items, self.limit, batch.through, &marks);
            if self.limit <= WARY_LINES {
                self.rehearse(&mut piece).await;
            }
            if let Some(report) = &mut self.report {
                let refused = piece.refused.iter();
                report.add(
                    &self.origin.name,
                    refused.map(|(line, text, reason)| (*line, text, reason)),
                )?;
            }
            // after an error the outcome may be unknown: the next run finds out, and takes back
            // what did not move on
            match self.call(&piece).await? {
                Answer::Stands { now, unsure } => self.stand(now, unsure, &piece)?,
                Answer::Refused { at, reason } => {
                    self.take_back()?;
                    self.limit = (self.limit.min(piece.jobs.len()) / 2).clamp(1, WARY_LINES);
                    piece.refuse(at, reason);
                    piece.give_back(&mut items);
                }
            }
        }
    }

    /// Takes out what the database refuses, in transactions that are rolled back: so the report is
    /// written once for all of them, and not before each call that may be refused.
    async fn rehearse(&self, piece: &mut Piece) {
        while !piece.jobs.is_empty() {
            let Err(error) = self.try_out(&piece.jobs).await else { break };
            let count = piece.jobs.len();
            if is_refusal(&error) {
                piece.refuse(error.item(), Reason::of(&error));
            }
            if piece.jobs.len() == count {
                break; // the call itself finds out
            }
        }
        piece.refused.sort_unstable_by_key(|(line, ..)| *line);
    }

    async fn try_out(&self, jobs: &[Dispatch]) -> Result<(), Error> {
        let mut connection = self.client.pool().get().await?;
        let transaction = connection.transaction().await?;
        dispatch_many_in(&*transaction, jobs.to_vec()).await?;
        Ok(transaction.rollback().await?)
    }

    /// Whether another run has sent the same lines, as soon as they are read.
    fn compare(&mut self, marks: &[(u64, Mark)], through: u64) -> anyhow::Result<()> {
        let Some((line, mark)) = self.moved.filter(|(line, _)| *line <= through) else {
            return Ok(());
        };
        self.moved = None;
        if mark_at(marks, line).is_some_and(|seen| seen != mark) {
            return Err(self.origin.differs(line));
        }
        Ok(())
    }

    /// Checks the end, when all lines are read.
    pub(super) fn end(&self, through: u64) -> anyhow::Result<()> {
        match self.moved {
            Some((line, _)) => Err(self.origin.ends(line, through)),
            None => Ok(()),
        }
    }

    /// Makes one call, repeated for as long as the database is away.
    async fn call(&self, piece: &Piece) -> anyhow::Result<Answer> {
        let mut lines = Lines::of(&self.origin.name, self.stands.lines, piece.through)
            .jobs(&piece.jobs)
            .defaults(self.origin.defaults)
            .anew(self.origin.anew && self.stands.lines == 0)
            .refused(u32::try_from(piece.refused.len()).unwrap_or(u32::MAX));
        if self.origin.named {
            lines = lines.digest(piece.mark);
        }
        let (mut unsure, mut pause, mut since) = (false, Duration::from_millis(50), None);
        loop {
            match self.client.dispatch_lines(lines).await {
                Ok(now) => return Ok(Answer::Stands { now, unsure }),
                Err(error) if error.is_transient() => {
                    unsure = true;
                    if since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                        return Err(error.into());
                    }
                    tracing::warn!("{error}; trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                Err(error) if is_refusal(&error) && !piece.jobs.is_empty() => {
                    return Ok(Answer::Refused { at: error.item(), reason: Reason::of(&error) });
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes note of where the source stands after a call.
    fn stand(&mut self, now: LinesProgress, unsure: bool, piece: &Piece) -> anyhow::Result<()> {
        if !now.accepted && now.lines < self.stands.lines {
            self.take_back()?;
            return Err(Hinted::failed(
                format!(
                    "the database no longer knows that the first {} lines were dispatched",
                    self.stands.lines
                ),
                "it was restored or pruned meanwhile; look at what is there, then send the lines behind that one as a file of their own",
            )
            .into());
        }
        if let Some(error) = self.origin.other_flags(&now) {
            self.take_back()?;
            return Err(error);
        }
        // after a lost answer, a source that stands behind these lines says that they went in
        if now.accepted || unsure && now.lines >= piece.through {
            if let Some(report) = &mut self.report {
                report.keep()?;
            }
            for (line, _, reason) in &piece.refused {
                self.show(*line, reason);
            }
            self.limit = (self.limit * 2).min(BATCH_LINES);
        } else {
            self.take_back()?; // another process has sent them, and reports them
            self.moved = now.digest.map(|mark| (now.lines, mark));
        }
        self.stands = now;
        Ok(())
    }

    fn take_back(&mut self) -> anyhow::Result<()> {
        Ok(self.report.as_mut().map_or(Ok(()), Report::take_back)?)
    }

    /// Says on stderr why a line is refused, for the first few.
    fn show(&mut self, line: u64, reason: &Reason) {
        self.shown += 1;
        self.bar.suspend(|| {
            if self.shown <= SHOWN {
                eprintln!("line {line}: {reason}");
            } else if self.shown == SHOWN + 1 {
                eprintln!("further refused lines are counted only");
            }
        });
    }
}

/// Whether an error is about what was sent: our own refusals, what the type of a value refuses, a
/// limit of the server's.
fn is_refusal(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::InvalidArgument | ErrorKind::TenantMissing | ErrorKind::QuotaExceeded => true,
        ErrorKind::Database => {
            matches!(error.sqlstate().and_then(|code| code.get(..2)), Some("22" | "54"))
        }
        _ => false,
    }
}

impl Piece {
    /// Takes the next so many lines.
    fn cut(items: &mut VecDeque<Item>, limit: usize, through: u64, marks: &[(u64, Mark)]) -> Self {
        let count = limit.min(items.len());
        let last = items.get(count).and_then(|_| Some(items.get(count.checked_sub(1)?)?.line));
        let through = last.unwrap_or(through);
        let mut piece = Self {
            through,
            mark: mark_at(marks, through).unwrap_or_default(),
            jobs: Vec::new(),
            texts: Vec::new(),
            refused: Vec::new(),
        };
        for Item { line, text, job } in items.drain(..count) {
            match job {
                Ok(job) => {
                    piece.jobs.push(job);
                    piece.texts.push((line, text));
                }
                Err(reason) => piece.refused.push((line, text, reason)),
            }
        }
        piece
    }

    /// Marks the job that was refused. Where the error does not say which, it is the only one, or
    /// fewer have to be tried.
    fn refuse(&mut self, at: Option<usize>, reason: Reason) {
        let only = (self.jobs.len() == 1).then_some(0);
        if let Some(at) = at.filter(|at| *at < self.jobs.len()).or(only) {
            let _refused = self.jobs.remove(at);
            let (line, text) = self.texts.remove(at);
            self.refused.push((line, text, reason));
        }
    }

    /// Puts the lines back where they were cut off.
    fn give_back(self, items: &mut VecDeque<Item>) {
        let good = self.texts.into_iter().zip(self.jobs);
        let good = good.map(|((line, text), job)| Item { line, text, job: Ok(job) });
        let bad = self.refused.into_iter();
        let bad = bad.map(|(line, text, reason)| Item { line, text, job: Err(reason) });
        let mut all: Vec<Item> = good.chain(bad).collect();
        all.sort_unstable_by_key(|item| item.line);
        all.into_iter().rev().for_each(|item| items.push_front(item));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(line: u64, good: bool) -> Item {
        let job = Dispatch::raw(uuid::Uuid::nil(), "mail", line).unwrap();
        let job = if good { Ok(job) } else { Err(Reason::bad("line", "is not JSON")) };
        Item { line, text: Text::Held(line.to_string().into_bytes()), job }
    }

    #[test]
    fn a_piece_ends_at_its_last_line_and_the_last_one_with_the_batch() {
        let mut items: VecDeque<Item> = [2, 5, 6].map(|line| item(line, line != 5)).into();
        let marks = [(0, [0; 32]), (2, [2; 32]), (5, [5; 32]), (6, [6; 32])];
        let first = Piece::cut(&mut items, 2, 9, &marks);
        assert_eq!((first.through, first.jobs.len(), first.refused.len()), (5, 1, 1));
        assert_eq!(first.mark, [5; 32]);
        let rest = Piece::cut(&mut items, 2, 9, &marks);
        assert_eq!((rest.through, rest.jobs.len(), rest.mark), (9, 1, [6; 32]));
        let empty = Piece::cut(&mut items, 2, 9, &marks);
        assert_eq!((empty.through, empty.jobs.len()), (9, 0));
    }

    #[test]
    fn a_refused_line_is_put_back_as_refused_where_it_was() {
        let mut items: VecDeque<Item> = (1..=4).map(|line| item(line, line != 2)).collect();
        let mut piece = Piece::cut(&mut items, 3, 4, &[]);
        piece.refuse(Some(1), Reason::bad("payload", "too large"));
        piece.give_back(&mut items);
        let seen: Vec<_> = items.iter().map(|item| (item.line, item.job.is_ok())).collect();
        assert_eq!(seen, [(1, true), (2, false), (3, false), (4, true)]);
    }

    #[test]
    fn a_refusal_without_an_index_takes_out_a_line_only_when_it_is_alone() {
        for (count, left) in [(1, 0), (3, 3)] {
            let mut items: VecDeque<Item> = (1..=count).map(|line| item(line, true)).collect();
            let mut piece = Piece::cut(&mut items, 5, count, &[]);
            piece.refuse(None, Reason::bad("line", "too large"));
            assert_eq!(piece.jobs.len(), left);
        }
    }
}
