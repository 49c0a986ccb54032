//! What stays open while jobs pass: a reader whose snapshot keeps every dead row, and a writer that
//! has nothing to do with the queue.

use anyhow::Result;

use crate::target::{Session, Site};

/// Both, until it is released.
#[derive(Debug)]
pub(crate) struct Held {
    reader: Session,
    writer: Session,
}

impl Held {
    pub(crate) async fn open(site: &Site) -> Result<Self> {
        let (reader, writer) = (site.session().await?, site.session().await?);
        reader
            .batch_execute("begin isolation level repeatable read; select count(*) from pg_class")
            .await?;
        // a write gives the transaction an id of its own, which holds the horizon too
        writer
            .batch_execute(
                "begin; create temp table unrelated (n int); insert into unrelated values (1)",
            )
            .await?;
        Ok(Self { reader, writer })
    }

    pub(crate) async fn release(self) -> Result<()> {
        self.reader.batch_execute("rollback").await?;
        self.writer.batch_execute("rollback").await?;
        Ok(())
    }
}
