//! One word for one idea. Whoever reads `enqueue` has to find out whether that is something else than `dispatch`.

use super::{
    lexer,
    tree::{Finding, Source, Tree},
};

/// A word that says again what another one says.
struct SecondWord {
    /// The word, or its parts in a name that has several.
    word: &'static [&'static str],
    /// The word of this project.
    instead: &'static str,
    /// Where it is the word of somebody else.
    except: fn(&Place<'_>) -> bool,
}

/// Where a name stands.
struct Place<'a> {
    file: &'a Source,
    /// The code of the file, or of prose what is set as code.
    code: &'a str,
    /// The whole line, as it is written.
    line: &'a str,
    name: &'a str,
}

/// Nobody else's.
const NOWHERE: fn(&Place<'_>) -> bool = |_| false;

const SECOND_WORDS: &[SecondWord] = &[
    SecondWord { word: &["enqueue"], instead: "dispatch", except: NOWHERE },
    SecondWord { word: &["enqueued"], instead: "dispatched", except: NOWHERE },
    SecondWord { word: &["enqueuing"], instead: "dispatching", except: NOWHERE },
    SecondWord { word: &["dequeue"], instead: "claim", except: NOWHERE },
    SecondWord { word: &["dequeued"], instead: "claimed", except: NOWHERE },
    SecondWord { word: &["ack"], instead: "settle", except: NOWHERE },
    SecondWord { word: &["nack"], instead: "settle", except: NOWHERE },
    SecondWord { word: &["acked"], instead: "settled", except: NOWHERE },
    SecondWord { word: &["acknowledge"], instead: "settle", except: NOWHERE },
    SecondWord { word: &["dead", "letter"], instead: "failed", except: NOWHERE },
    SecondWord { word: &["deadletter"], instead: "failed", except: NOWHERE },
    SecondWord { word: &["consumer"], instead: "worker", except: NOWHERE },
    SecondWord { word: &["visibility", "timeout"], instead: "lease", except: NOWHERE },
    SecondWord { word: &["org", "id"], instead: "tenant_id", except: NOWHERE },
    SecondWord { word: &["organization", "id"], instead: "tenant_id", except: NOWHERE },
    // `type` is a keyword of Rust
    SecondWord {
        word: &["job", "type"],
        instead: "type",
        except: |place| place.name.trim_start_matches('_') == "job_type",
    },
    SecondWord { word: &["job", "kind"], instead: "type", except: NOWHERE },
    SecondWord { word: &["task"], instead: "job", except: is_tokios },
    SecondWord { word: &["task", "id"], instead: "job id", except: NOWHERE },
    SecondWord { word: &["task", "type"], instead: "type", except: NOWHERE },
    // a heading may be searched for
    SecondWord {
        word: &["task", "queue"],
        instead: "queue",
        except: |place| place.line.contains("job queue"),
    },
    SecondWord { word: &["new", "task"], instead: "job", except: NOWHERE },
];

/// A future that tokio runs is a task: by the names of its own, and by the bare word where futures are given to it.
fn is_tokios(place: &Place<'_>) -> bool {
    const GIVEN: &[&str] = &["JoinSet", "JoinHandle", "TaskTracker", "::spawn(", ".spawn("];
    let bare = matches!(place.name, "task" | "tasks");
    place.file.has_extension("rs")
        && (place.name == "TaskTracker"
            || bare && place.line.contains("task::")
            || bare && GIVEN.iter().any(|given| place.code.contains(given)))
}

/// What the project says of itself to others, in their terms.
const FOR_OTHERS: &[&str] =
    &["docs/decisions/", "docs/coming_from", "bench/peers/", "CHANGELOG.md"];

/// Names in SQL, Rust and the documentation that use another word for something that has one.
pub(super) fn second_words(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in tree.files.iter().filter(|file| is_ours(file)) {
        // prose may explain; in code the words are names
        let code = match file.has_extension("rs") {
            true => lexer::rust(&file.text).code,
            false if file.has_extension("sql") => lexer::sql_code(&file.text),
            false => names_of_prose(&file.text),
        };
        for (number, (line, original)) in code.lines().zip(file.text.lines()).enumerate() {
            let mut told: Vec<&SecondWord> = names(line)
                .filter_map(|name| second_word(&Place { file, code: &code, line: original, name }))
                .collect();
            told.dedup_by_key(|second| second.word);
            found.extend(told.into_iter().map(|second| {
                let word = second.word.join("_");
                file.finding(number + 1, format!("`{word}` has the word `{}` here", second.instead))
            }));
        }
    }
    found
}

/// The second word in a name; of several the one that says most.
fn second_word(place: &Place<'_>) -> Option<&'static SecondWord> {
    let parts = parts(place.name);
    SECOND_WORDS
        .iter()
        .filter(|second| second.is_in(&parts) && !(second.except)(place))
        .max_by_key(|second| second.word.len())
}

/// Where our own words are used; the benchmarks of others speak theirs.
fn is_ours(file: &Source) -> bool {
    const FOLDERS: &[&str] = &["sql/", "src/", "cli/", "docs/", "tests/", "xtask/", "bench/"];
    let place = FOLDERS.iter().any(|folder| file.path.starts_with(folder));
    let prose = !file.path.contains('/') && file.has_extension("md");
    (place || prose) && !FOR_OTHERS.iter().any(|start| file.path.starts_with(start))
}

impl SecondWord {
    /// Whether a name of these parts has the word, or all of its parts in a row.
    fn is_in(&self, parts: &[String]) -> bool {
        parts
            .windows(self.word.len())
            .any(|window| window.iter().zip(self.word).all(|(part, word)| singular(part) == *word))
    }
}

/// In prose, only what is set as code is a name.
fn names_of_prose(text: &str) -> String {
    let mut fenced = false;
    let lines = text.lines().map(|line| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            return line.to_owned();
        }
        line.split('`').skip(1).step_by(2).collect::<Vec<_>>().join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn names(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|name| !name.is_empty())
}

/// `DeadLetter_queue` → dead, letter, queue.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut lower_before = false;
    for c in name.chars() {
        if c == '_' || (c.is_uppercase() && lower_before) {
            parts.push(String::new());
        }
        lower_before = c.is_lowercase();
        if let Some(part) = parts.last_mut().filter(|_| c != '_') {
            part.extend(c.to_lowercase());
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn singular(part: &str) -> &str {
    part.strip_suffix('s').unwrap_or(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::found;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        found(second_words, path, text).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn second_words_are_found_in_names_of_all_styles() {
        assert_eq!(
            lines("src/dispatch.rs", "fn ok() {}\nfn enqueue_job() {}\nstruct DeadLetters;\n"),
            [2, 3]
        );
        assert_eq!(
            lines(
                "sql/protocol/claim/x.sql",
                "select ack($1);\nselect back($1), packs, attack;\n"
            ),
            [1]
        );
        assert_eq!(lines("sql/views/x.sql", "select 1 as tasks\n"), [1]);
        assert_eq!(lines("src/worker/mod.rs", "let task_id = 1;\n"), [1]);
    }

    #[test]
    fn prose_may_explain_and_only_its_code_is_held_to_the_words() {
        assert_eq!(
            lines(
                "docs/guide.md",
                "This is the dead letter.\nCall `enqueue`.\n```\ndequeue()\n```\n"
            ),
            [2, 4]
        );
        assert!(
            lines("src/x.rs", "// others call it enqueue\nlet text = \"enqueue\";\n").is_empty()
        );
    }

    #[test]
    fn tests_chores_and_benchmarks_are_held_to_the_words_too() {
        for path in
            ["tests/it/turns.rs", "cli/tests/e2e/demo.rs", "xtask/src/step.rs", "bench/load.rs"]
        {
            assert_eq!(lines(path, "fn dequeue() {}\n"), [1], "{path}");
        }
        assert_eq!(lines("bench/METHOD.md", "`enqueue` is timed\n"), [1]);
        assert!(lines("bench/peers/river.rs", "enqueue();\n").is_empty());
    }

    #[test]
    fn what_tokio_runs_has_a_word_that_no_job_has() {
        let spawned = "let task = tokio::spawn(f());\nlet mut tasks = JoinSet::new();\nself.tasks.len();\ntask.await;\n";
        assert!(lines("src/worker/solo.rs", spawned).is_empty());
        assert!(lines("cli/src/bench/work.rs", spawned).is_empty());
        assert!(lines("src/worker/x.rs", "tokio::task::yield_now();\n").is_empty());
        // in the same file, whatever says more than the bare word speaks of a job
        for line in
            ["fn run_task() {}", "let task_name = 1;", "struct TaskRow;", "let pending_tasks = 1;"]
        {
            assert_eq!(lines("src/worker/solo.rs", &format!("{spawned}{line}\n")), [5], "{line}");
        }
        // where nothing is given to tokio, so does the bare word
        assert_eq!(lines("src/dispatch/mod.rs", "pub fn add(task: Job) {}\n"), [1]);
        assert_eq!(lines("cli/src/command/jobs.rs", "for task in tasks {}\n"), [1]);
        assert_eq!(lines("sql/views/x.sql", "select task from spawn; -- .spawn(\n"), [1]);
    }

    #[test]
    fn what_is_the_word_of_somebody_else_is_let_be() {
        assert!(lines("src/worker/shutdown.rs", "use tokio_util::task::TaskTracker;\n").is_empty());
        assert!(lines("src/worker/attempt.rs", "pub fn job_type(&self) -> &str {\n").is_empty());
        assert_eq!(lines("src/worker/attempt.rs", "pub fn set_job_type() { job_type(); }\n"), [1]);
    }
}
