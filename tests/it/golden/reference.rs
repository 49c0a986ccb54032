//! docs/reference/sql.md: every function of the protocol, made from the catalog and the comments of a fresh installation.

use std::fmt::Write;

use super::written::assert_as_written;
use crate::support::{Client, TestDb};

const HEAD: &str = "\
# The functions of the schema `fairclaim`

What clients may call, with who may call it. Arguments have names, and a call may leave out those with a default. Every refusal
carries a SQLSTATE, a hint, and its field as data: see `docs/reference/errors.md`. This page is made from the comments of the
functions by `cargo xtask golden`; in a database, `\\df+ fairclaim.*` shows the same.
";

/// The folders of sql/protocol in the order in which a newcomer needs them, and what their functions are for.
const AREAS: &[(&str, &str)] = &[
    ("dispatch", "Dispatch jobs"),
    ("claim", "Claim jobs"),
    ("settle", "Settle attempts and keep leases"),
    ("maintenance", "Maintenance, which workers call"),
    ("operator", "Look at jobs and change them"),
    ("queue", "Queues"),
    ("worker", "Workers"),
    ("key", "Keys inside a tenant"),
    ("tenant", "Tenants"),
    ("stats", "Figures, and why a job waits"),
    ("doctor", "What `fairclaim doctor` looks at"),
    ("support", "For every role"),
];

const FUNCTION: &str = "
    select pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), obj_description(p.oid, 'pg_proc'),
           coalesce((select string_agg(replace(a.grantee::regrole::text, 'fairclaim_', ''), ', ' order by a.grantee::regrole::text)
                       from aclexplode(p.proacl) a where a.grantee <> p.proowner), '')
      from pg_proc p where p.pronamespace = 'fairclaim'::regnamespace and p.proname = $1";

/// The spelling of a type or a default that people write.
fn short(list: &str) -> String {
    const SPELLINGS: [(&str, &str); 12] = [
        ("::timestamp with time zone", ""),
        ("::double precision", ""),
        ("::text[]", ""),
        ("::text", ""),
        ("::jsonb", ""),
        ("::uuid", ""),
        ("::interval", ""),
        ("timestamp with time zone", "timestamptz"),
        ("double precision", "float8"),
        ("integer", "int"),
        (" DEFAULT ", " default "),
        ("NULL", "null"),
    ];
    SPELLINGS.iter().fold(list.to_owned(), |text, (long, short)| text.replace(long, short))
}

/// Breaks a list of arguments or columns after its commas, outside of parentheses and quotes.
fn broken(list: &str) -> String {
    let (mut depth, mut quoted, mut text) = (0_u32, false, String::new());
    let mut rest = list.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\'' => quoted = !quoted,
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        text.push(c);
        if c == ',' && depth == 0 && !quoted {
            text.push_str("\n ");
        } else if c == '\n' {
            while rest.next_if_eq(&' ').is_some() {}
        }
    }
    text
}

async fn section(owner: &Client, name: &str) -> String {
    let row = owner.query_one(FUNCTION, &[&name]).await.expect(name);
    let (arguments, result) = (short(row.get(0)), short(row.get(1)));
    let (comment, roles): (String, String) = (row.get(2), row.get(3));
    let arguments = match arguments.len() {
        0..=70 => arguments,
        _ => format!("\n  {}\n", broken(&arguments)),
    };
    let result = match result.strip_prefix("TABLE(").and_then(|rest| rest.strip_suffix(')')) {
        Some(columns) => format!("table (\n  {}\n)", broken(columns)),
        None => result,
    };
    format!(
        "### {name}\n\n```sql\nfairclaim.{name}({arguments})\nreturns {result}\n```\n\nMay be called by: {roles}.\n\n{}\n\n",
        comment.trim().replace('*', "\\*").replace('\n', "\n\n")
    )
}

/// The functions of one folder.
fn functions(area: &str) -> Vec<String> {
    let folder = format!("{}/sql/protocol/{area}", env!("CARGO_MANIFEST_DIR"));
    let entries = std::fs::read_dir(folder).expect(area);
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").path())
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_is_as_written_down() {
    let db = TestDb::new().await;
    let owner = db.owner().await;
    let (mut page, mut count) = (HEAD.to_owned(), 0);
    for (area, title) in AREAS {
        let _ = write!(page, "\n## {title}\n\n");
        for name in functions(area) {
            page += &section(&owner, &name).await;
            count += 1;
        }
    }
    let page = format!("{}\n", page.trim_end());
    let all = "select count(*) from pg_proc p where p.pronamespace = 'fairclaim'::regnamespace";
    let all: i64 = owner.query_one(all, &[]).await.expect("functions").get(0);
    assert_eq!(
        i64::from(count),
        all,
        "every function of the schema has its file in a folder that is listed here"
    );
    assert_as_written("docs/reference/sql.md", &page);
}
