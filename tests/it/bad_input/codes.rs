//! The reference of errors says what the protocol says, and what the functions raise.

use std::{collections::BTreeSet, fs, path::Path};

const REFERENCE: &str = include_str!("../../../docs/reference/errors.md");
const PROTOCOL: &str = include_str!("../../../sql/README.md");

/// The cells of the rows of the tables below a heading, up to the next one.
fn rows<'a>(text: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let (_, section) = text.split_once(&format!("\n## {heading}\n")).expect(heading);
    let section = section.split("\n## ").next().unwrap_or(section);
    section
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|row| row.split(" | ").map(str::trim).collect())
        .collect()
}

/// The codes that the first cells name.
fn codes(rows: &[Vec<&str>]) -> BTreeSet<String> {
    let cells = rows.iter().flat_map(|row| row[0].split(", "));
    cells.filter(|code| code.len() == 5).map(str::to_owned).collect()
}

#[test]
fn the_reference_of_errors_has_every_code_of_the_protocol_with_meaning_cause_and_way_out() {
    let ours = rows(REFERENCE, "Codes of fairclaim");
    let servers = rows(REFERENCE, "Codes of PostgreSQL");
    let all = [ours.clone(), servers].concat();
    for row in &all {
        assert!(row.len() == 4 && row.iter().all(|cell| !cell.is_empty()), "{row:?}");
    }
    assert_eq!(codes(&all), codes(&rows(PROTOCOL, "Errors")));
    assert_eq!(codes(&ours), (1..=7).map(|n| format!("JQ00{n}")).collect());
}

#[test]
fn every_code_that_a_function_raises_is_in_the_reference() {
    let mut raised = BTreeSet::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("sql"), &mut raised);
    assert!(raised.contains("JQ004") && raised.contains("JQ002"), "{raised:?}");
    let known = codes(&rows(REFERENCE, "Codes of fairclaim"));
    assert!(raised.is_subset(&known), "{raised:?}");
}

fn collect(folder: &Path, codes: &mut BTreeSet<String>) {
    for entry in
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path())
    {
        if entry.is_dir() {
            collect(&entry, codes);
        } else if entry.extension().is_some_and(|extension| extension == "sql") {
            let text = fs::read_to_string(&entry).expect("a file");
            let quoted = text.match_indices("'JQ").filter_map(|(at, _)| text.get(at + 1..at + 6));
            codes.extend(quoted.map(str::to_owned));
        }
    }
}
