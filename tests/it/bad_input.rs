//! Bad input, as tables. A row says what is asked for, and how it is refused: the code, the field and its limit, the
//! hint. Values at a limit and inside it are accepted. After each refusal every table holds what it held before, nobody was
//! woken, and no text of the error repeats a value of the caller's.
//!
//! `sql`: the functions, as logins of least privilege. `library`: the Rust client and the worker's set-up. The binary's
//! tables are in `cli/tests/bad_input`.

mod claim;
mod codes;
mod depth;
mod dispatch;
mod dispatch_many;
mod error_texts;
mod library;
mod lines;
mod operate;
mod settle;
mod spelling;
mod stage;
mod types;

use crate::support::Client;

use stage::Stage;

/// Stands in every payload and in every other value that a careless message might quote.
pub(crate) const MARK: &str = "MARKED-7c1f";

/// One limit of one argument. Each value stands in the call where it has `…`; in it MARK is the mark.
struct Limit {
    /// What the message begins with.
    field: &'static str,
    /// What it says of the limit.
    rule: &'static str,
    /// At the limit, and within.
    good: &'static [&'static str],
    /// Beyond it, and what is no such value at all.
    bad: &'static [&'static str],
}

/// How one function is called, and what all its refusals have in common.
struct Call<'a> {
    stage: &'a Stage,
    session: &'a Client,
    code: &'static str,
    /// What the hint says, beside being there.
    hint: &'static str,
}

impl<'a> Call<'a> {
    fn new(stage: &'a Stage, session: &'a Client, hint: &'static str) -> Self {
        Self { stage, session, code: "JQ004", hint }
    }

    /// Tries every value of a table in the statement that `call` makes of a field.
    async fn table(&self, limits: &[Limit], call: impl Fn(&str) -> String) {
        for limit in limits {
            let call = call(limit.field);
            assert!(call.contains('…'), "{call} has no place for a value");
            for bad in limit.bad {
                self.refused(limit.field, limit.rule, &call.replace('…', bad)).await;
            }
            for good in limit.good {
                self.accepted(&call.replace('…', good)).await;
            }
        }
    }

    async fn accepted(&self, sql: &str) {
        if let Err(error) = self.session.query(&sql.replace("MARK", MARK), &[]).await {
            panic!("{sql}\nis refused: {:?}", error.as_db_error());
        }
    }

    /// The statement must be refused for this field. The session is as good as before.
    async fn refused(&self, field: &str, rule: &str, sql: &str) {
        let before = self.stage.contents().await;
        let asked = self.session.query(&sql.replace("MARK", MARK), &[]).await;
        let error = asked.err().unwrap_or_else(|| panic!("{sql}\nis accepted"));
        let said = error.as_db_error().unwrap_or_else(|| panic!("{sql}\n{error}")).clone();
        assert_eq!(said.code().code(), self.code, "{sql}\n{}", said.message());
        let (message, hint) = (said.message(), said.hint().unwrap_or_default());
        assert!(
            message.starts_with(&format!("{field}: ")) && message.contains(rule),
            "{sql}\nshould name {field} and say {rule:?}: {message}"
        );
        assert!(hint.contains(self.hint), "{sql}\nshould hint {:?}: {hint}", self.hint);
        assert!(!hint.is_empty() && !hint.contains("comment of"), "{sql}\nhints nothing: {hint}");
        place(field).is_told(sql, said.detail());
        for text in [Some(message), said.detail(), said.hint(), said.where_()].into_iter().flatten()
        {
            assert!(!text.contains(MARK), "{sql}\nquotes a value: {text}");
        }
        let ours = fairclaim::Error::from(error);
        assert_eq!(ours.code(), Some(self.code), "{sql}\n{ours:?}");
        let at = place(field);
        assert_eq!((ours.field(), ours.item()), (Some(at.field), at.item), "{sql}\n{ours:?}");
        self.stage.untouched(&before, sql).await;
        let alive = self.session.query_one("select fairclaim.clock()", &[]).await;
        alive.expect("a session after an error");
    }
}

/// What DETAIL says of a field that is written like `p_jobs[3].queue`.
struct Fault<'a> {
    argument: Option<&'a str>,
    field: &'a str,
    item: Option<usize>,
}

fn place(path: &str) -> Fault<'_> {
    let argument = argument(path);
    let is_argument = argument.starts_with("p_");
    let inside = path.split_once('.').map(|(_, inside)| inside);
    let item = path.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    Fault {
        argument: is_argument.then_some(argument),
        field: inside.unwrap_or(argument.strip_prefix("p_").unwrap_or(argument)),
        item: item.map(|(item, _)| item.parse().expect("a number")),
    }
}

impl Fault<'_> {
    fn is_told(&self, sql: &str, detail: Option<&str>) {
        let detail = detail.unwrap_or_else(|| panic!("{sql}\nhas no DETAIL"));
        let told: serde_json::Value = serde_json::from_str(detail).expect(detail);
        let wanted =
            serde_json::json!({"argument": self.argument, "field": self.field, "item": self.item});
        for (key, value) in wanted.as_object().expect("an object") {
            assert_eq!(
                told.get(key).unwrap_or(&serde_json::Value::Null),
                value,
                "{sql}\n{key} in {detail}"
            );
        }
    }
}

/// Statements with the calls' other arguments, all of them good.
fn others(arguments: &[(&str, &str)], without: &str) -> String {
    let without = without.split(['[', '.']).next().unwrap_or(without);
    let named = arguments.iter().filter(|(name, _)| *name != without);
    named.fold(String::new(), |text, (name, value)| text + name + " => " + value + ", ")
}

/// The argument that a field is part of: `p_queues` of `p_queues[1]`.
fn argument(field: &str) -> &str {
    field.split(['[', '.']).next().unwrap_or(field)
}
