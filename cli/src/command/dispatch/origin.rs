//! Whose lines they are: the name of the source, and what it takes to be sure that it is the same
//! one as before.

use fairclaim::LinesProgress;

use super::reader::Mark;
use crate::error::Hinted;

/// A source as the database knows it.
pub(super) struct Origin {
    pub(super) name: String,
    /// Whether the user gave the name; else it stands for the content.
    pub(super) named: bool,
    /// The digest of what the flags fill in.
    pub(super) defaults: Mark,
    /// Whether it begins again: nothing of it was dispatched, and now the flags are others.
    pub(super) anew: bool,
}

impl Origin {
    /// Makes the error for lines that were sent with other flags, which would make other jobs of
    /// them.
    pub(super) fn other_flags(&self, stands: &LinesProgress) -> Option<anyhow::Error> {
        let begun = stands.defaults.filter(|_| stands.lines > 0)?;
        (begun != self.defaults).then(|| {
            Hinted::usage(
                format!(
                    "{} was sent with other flags up to line {}, which is not repeated",
                    self.called(),
                    stands.lines
                ),
                "with the same flags as then it goes on behind that line; a new --source NAME sends it again as a whole, \
                 as other jobs",
            )
            .into()
        })
    }

    /// Looks at the source as this run meets it, and begins it again if nothing can go in twice.
    pub(super) fn meet(mut self, stands: &mut LinesProgress) -> anyhow::Result<Self> {
        let Some(error) = self.other_flags(stands) else { return Ok(self) };
        if stands.dispatched > 0 {
            return Err(error);
        }
        (stands.lines, stands.refused, stands.digest) = (0, 0, None);
        self.anew = true;
        Ok(self)
    }

    /// Makes the error for an input that is too short.
    pub(super) fn ends(&self, line: u64, through: u64) -> anyhow::Error {
        Hinted::usage(
            format!("{} stands at line {line}, and this input has {through}", self.called()),
            ANOTHER,
        )
        .into()
    }

    /// The error when the lines are not those that were dealt with.
    pub(super) fn differs(&self, line: u64) -> anyhow::Error {
        Hinted::usage(
            format!(
                "{} stands at line {line}, and the lines up to there are not those of this input",
                self.called()
            ),
            ANOTHER,
        )
        .into()
    }

    /// As a message names it.
    fn called(&self) -> String {
        if self.named { format!("the source {}", self.name) } else { "this file".to_owned() }
    }
}

const ANOTHER: &str = "another input needs another --source NAME and is sent as a whole, a changed one too: \
                       put only the lines that are to be sent into a file of their own";
