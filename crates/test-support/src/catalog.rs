//! What an installation consists of, as a text to compare.

use crate::TestDb;

/// The text of the catalog. The session has `search_path = pg_catalog`, so names of other schemas
/// are qualified.
pub const CATALOG: &str = include_str!("catalog.sql");

/// What the catalog leaves out: bodies, comments and the migrations that were applied.
const CONTENT: &str = "
    select string_agg(x.line, E'\\n' order by x.line collate \"C\") from (
      select concat_ws(' ', p.oid::regprocedure, p.prosrc, obj_description(p.oid, 'pg_proc'))
        from pg_proc p where p.pronamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[])
      union all
      select concat_ws(' ', m.version, m.name, m.checksum) from fairclaim_internal.migration m) x(line)";

impl TestDb {
    /// Every object with its grants and policies. Names of ranges, which follow the clock, have
    /// `<range>` for their time: two installations are alike also when an hour ended between them.
    pub async fn catalog(&self) -> String {
        self.text(CATALOG).await
    }

    /// The catalog, and with it bodies, comments and migrations: whatever `migrate` could change.
    pub async fn installation(&self) -> String {
        self.text(CATALOG).await + "\n" + &self.text(CONTENT).await
    }

    async fn text(&self, sql: &str) -> String {
        let owner = self.owner().await;
        let transaction = "begin read only; set local search_path = pg_catalog";
        owner.batch_execute(transaction).await.expect("begin");
        let row = owner.query_one(sql, &[]).await.expect("the catalog");
        row.get(0)
    }
}
