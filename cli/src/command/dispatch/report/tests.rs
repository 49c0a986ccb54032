//! What stays in the two files, and what does not.

use super::*;

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("fc-report-{}", uuid::Uuid::new_v4().simple());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("refused.jsonl")
    }

    fn lines(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn add(report: &mut Report, lines: &[u64]) {
    let reason = Reason::bad("type", "is missing");
    let texts: Vec<_> =
        lines.iter().map(|line| Text::Held(format!("line {line}").into_bytes())).collect();
    let refused = lines.iter().zip(&texts).map(|(line, text)| (*line, text, &reason));
    report.add("s", refused).unwrap();
}

#[test]
fn what_is_kept_stays_and_what_is_taken_back_goes() {
    let folder = Folder::new();
    let mut report = Report::open(&folder.file(), "s", 0, false).unwrap();
    add(&mut report, &[1, 3]);
    report.keep().unwrap();
    add(&mut report, &[7]);
    report.take_back().unwrap();
    add(&mut report, &[8]);
    report.keep().unwrap();
    drop(report);
    assert_eq!(folder.lines(), "line 1\nline 3\nline 8\n");
}

#[test]
fn after_a_death_entries_of_lines_that_are_yet_to_come_are_taken_back() {
    let folder = Folder::new();
    let mut report = Report::open(&folder.file(), "s", 0, false).unwrap();
    add(&mut report, &[1]);
    report.keep().unwrap();
    add(&mut report, &[5, 6]);
    drop(report); // killed before it was known whether the batch moved on
    let error = Report::open(&folder.file(), "another", 0, false).unwrap_err();
    assert!(error.to_string().contains("interrupted, of the source s"), "{error}");
    let report = Report::open(&folder.file(), "s", 5, false).unwrap();
    drop(report);
    assert_eq!(folder.lines(), "line 1\nline 5\n", "5 is dealt with, 6 is not");
    drop(Report::open(&folder.file(), "another", 0, false).unwrap());
    assert_eq!(folder.lines(), "line 1\nline 5\n", "another source's are let be");
    let reasons = std::fs::read_to_string(reasons_of(&folder.file())).unwrap();
    assert_eq!(reasons.matches("\"state\":\"kept\"").count(), 2, "{reasons}");
}

#[test]
fn a_death_between_the_two_files_is_mended() {
    let folder = Folder::new();
    let mut report = Report::open(&folder.file(), "s", 0, false).unwrap();
    add(&mut report, &[1]);
    report.keep().unwrap();
    add(&mut report, &[2]);
    drop(report);
    let whole = std::fs::read(reasons_of(&folder.file())).unwrap();
    // the line was not written, or only half of it; the reason was not written to its end
    for (lines, reasons) in
        [("line 1\n", whole.len()), ("line 1\nli", whole.len()), ("line 1\n", whole.len() - 9)]
    {
        std::fs::write(folder.file(), lines).unwrap();
        std::fs::write(reasons_of(&folder.file()), &whole[..reasons]).unwrap();
        drop(Report::open(&folder.file(), "s", 1, false).unwrap());
        assert_eq!(folder.lines(), "line 1\n");
    }
}

#[test]
fn a_file_that_was_mended_is_not_written_over() {
    let folder = Folder::new();
    let mut report = Report::open(&folder.file(), "s", 0, false).unwrap();
    add(&mut report, &[1]);
    report.keep().unwrap();
    drop(report);
    for edited in ["line 1\nmore\n", "li\n", ""] {
        std::fs::write(folder.file(), edited).unwrap();
        let error = Report::open(&folder.file(), "s", 1, false).unwrap_err();
        assert!(error.to_string().contains("do not belong together"), "{edited:?}: {error}");
        assert_eq!(folder.lines(), edited);
    }
}

#[test]
fn a_file_that_was_mended_before_the_run_was_repeated_is_not_cut() {
    let folder = Folder::new();
    let mut report = Report::open(&folder.file(), "s", 0, false).unwrap();
    add(&mut report, &[1]);
    report.keep().unwrap();
    add(&mut report, &[2, 3]);
    drop(report); // killed
    let reasons = std::fs::read(reasons_of(&folder.file())).unwrap();
    for mended in [
        "longer than 1\nline 2\nline 3\n",
        "1\nline 2\nline 3\n",
        "line 1\n2\nline 3\n",
        "line 1\nline 2\n3\n",
        "line 1\nline 2\nline 3 and more\n",
    ] {
        std::fs::write(folder.file(), mended).unwrap();
        let error = Report::open(&folder.file(), "s", 1, false).unwrap_err();
        assert!(error.to_string().contains("do not belong together"), "{mended:?}: {error}");
        assert_eq!(folder.lines(), mended);
        assert_eq!(std::fs::read(reasons_of(&folder.file())).unwrap(), reasons);
    }
}

#[test]
fn a_source_that_begins_again_takes_back_what_it_kept_and_no_other_does() {
    let folder = Folder::new();
    let mut report = Report::open(&folder.file(), "s", 0, false).unwrap();
    add(&mut report, &[1, 2]);
    report.keep().unwrap();
    assert_eq!(report.holds(), 2);
    drop(report);
    let error = Report::open(&folder.file(), "s", 1, false).unwrap_err();
    assert!(error.to_string().contains("dealt with again"), "{error}");
    for mended in ["line 1\n", "line 1\nline 2 is good\n"] {
        std::fs::write(folder.file(), mended).unwrap();
        Report::open(&folder.file(), "s", 0, true).unwrap_err();
        assert_eq!(folder.lines(), mended);
    }
    std::fs::write(folder.file(), "line 1\nline 2\n").unwrap();
    assert_eq!(Report::open(&folder.file(), "s", 0, true).unwrap().holds(), 0);
    assert!(!folder.file().exists());
}

#[test]
fn no_other_user_may_read_what_was_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let _report = Report::open(&folder.file(), "s", 0, false).unwrap();
    for path in [folder.file(), reasons_of(&folder.file())] {
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn two_do_not_write_one_report() {
    let folder = Folder::new();
    let first = Report::open(&folder.file(), "s", 0, false).unwrap();
    let error = Report::open(&folder.file(), "s", 0, false).unwrap_err();
    assert!(error.to_string().contains("another dispatch is writing"), "{error}");
    drop(first);
    assert!(!folder.file().exists(), "no empty file stays");
}
