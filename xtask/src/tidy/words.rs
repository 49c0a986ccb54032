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
    /// Where it is the word of somebody else: (start of the path, text in the line, whose). Empty means anywhere.
    except: &'static [(&'static str, &'static str, &'static str)],
}

const SECOND_WORDS: &[SecondWord] = &[
    SecondWord { word: &["enqueue"], instead: "dispatch", except: &[] },
    SecondWord { word: &["enqueued"], instead: "dispatched", except: &[] },
    SecondWord { word: &["enqueuing"], instead: "dispatching", except: &[] },
    SecondWord { word: &["dequeue"], instead: "claim", except: &[] },
    SecondWord { word: &["dequeued"], instead: "claimed", except: &[] },
    SecondWord { word: &["ack"], instead: "settle", except: &[] },
    SecondWord { word: &["nack"], instead: "settle", except: &[] },
    SecondWord { word: &["acked"], instead: "settled", except: &[] },
    SecondWord { word: &["acknowledge"], instead: "settle", except: &[] },
    SecondWord { word: &["dead", "letter"], instead: "failed", except: &[] },
    SecondWord { word: &["deadletter"], instead: "failed", except: &[] },
    SecondWord { word: &["consumer"], instead: "worker", except: &[] },
    SecondWord { word: &["visibility", "timeout"], instead: "lease", except: &[] },
    SecondWord { word: &["org", "id"], instead: "tenant_id", except: &[] },
    SecondWord { word: &["organization", "id"], instead: "tenant_id", except: &[] },
    SecondWord {
        word: &["job", "type"],
        instead: "type",
        except: &[("", "job_type", "`type` is a keyword of Rust")],
    },
    SecondWord { word: &["job", "kind"], instead: "type", except: &[] },
    SecondWord {
        word: &["task"],
        instead: "job",
        except: &[
            ("src/", "", "a future that tokio runs"),
            ("cli/", "", "a future that tokio runs"),
        ],
    },
    SecondWord { word: &["task", "id"], instead: "job id", except: &[] },
    SecondWord { word: &["task", "type"], instead: "type", except: &[] },
    SecondWord {
        word: &["task", "queue"],
        instead: "queue",
        except: &[("", "job queue", "a heading may be searched for")],
    },
    SecondWord { word: &["new", "task"], instead: "job", except: &[] },
];

/// What the project says of itself to others, in their terms.
const FOR_OTHERS: &[&str] = &["docs/decisions/", "docs/coming_from", "CHANGELOG.md"];

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
            for second in
                SECOND_WORDS.iter().filter(|second| !second.is_excepted(&file.path, original))
            {
                if names(line).any(|name| second.is_in(name)) {
                    let word = second.word.join("_");
                    found.push(file.finding(
                        number + 1,
                        format!("`{word}` has the word `{}` here", second.instead),
                    ));
                }
            }
        }
    }
    found
}

fn is_ours(file: &Source) -> bool {
    let place =
        ["sql/", "src/", "cli/src/", "docs/"].iter().any(|folder| file.path.starts_with(folder));
    let prose = !file.path.contains('/') && file.has_extension("md");
    (place || prose) && !FOR_OTHERS.iter().any(|start| file.path.starts_with(start))
}

impl SecondWord {
    fn is_excepted(&self, path: &str, line: &str) -> bool {
        self.except.iter().any(|(start, text, _)| path.starts_with(start) && line.contains(text))
    }

    /// Whether a name has the word, or all of its parts in a row.
    fn is_in(&self, name: &str) -> bool {
        let parts = parts(name);
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
                "sql/functions/claim/x.sql",
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
    fn what_is_the_word_of_somebody_else_is_let_be() {
        assert!(lines("src/worker/shutdown.rs", "use tokio_util::task::TaskTracker;\n").is_empty());
        assert!(lines("src/worker/attempt.rs", "pub fn job_type(&self) -> &str {\n").is_empty());
        assert!(lines("bench/peers/river.rs", "enqueue();\n").is_empty());
    }
}
