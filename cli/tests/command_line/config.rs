//! The configuration file where it needs no server: where it is looked for, and what is wrong with
//! it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("fc-config-{}", uuid::Uuid::new_v4().simple());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs a command in a folder; answers its exit code and what it said.
fn run(folder: &Path, args: &[&str], environment: &[(&str, &Path)]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_fairclaim"))
        .args(args)
        .current_dir(folder)
        .env_remove("DATABASE_URL")
        .env_remove("FAIRCLAIM_CONFIG")
        .env("XDG_CONFIG_HOME", folder.join("xdg"))
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// A file that shows by its error that it was read.
fn marked(mark: &str) -> String {
    format!("{mark} = 1\n")
}

#[test]
fn the_file_is_found_where_it_is_named_then_here_then_in_the_users_folder() {
    let folder = Folder::new();
    let read = |args: &[&str], environment: &[(&str, &Path)]| {
        let line: Vec<&str> = ["jobs", "list"].iter().chain(args).copied().collect();
        let (code, said) = run(&folder.0, &line, environment);
        assert_eq!(code, 2, "{said}");
        said
    };
    assert!(read(&[], &[]).contains("no database is given"), "there is none");
    folder.write("xdg/fairclaim/config.toml", &marked("of_the_user"));
    assert!(read(&[], &[]).contains("of_the_user"));
    folder.write("fairclaim.toml", &marked("here"));
    assert!(read(&[], &[]).contains("fairclaim.toml: here: there is no such key"));
    let variable = folder.write("variable.toml", &marked("of_the_variable"));
    let environment = [("FAIRCLAIM_CONFIG", variable.as_path())];
    assert!(read(&[], &environment).contains("of_the_variable"));
    folder.write("flag.toml", &marked("of_the_flag"));
    assert!(read(&["--config", "flag.toml"], &environment).contains("of_the_flag"));
    assert!(read(&["--config=/dev/null"], &environment).contains("no database is given"));
    let empty = [("FAIRCLAIM_CONFIG", Path::new(""))];
    assert!(read(&[], &empty).contains("here"), "an empty variable names none");
}

#[test]
fn what_is_wrong_with_the_file_is_named_by_file_and_key_and_without_its_value() {
    let folder = Folder::new();
    for (text, says) in [
        ("databse_url = \"hunter2\"", "f.toml: databse_url: there is no such key"),
        ("database_url = true", "f.toml: database_url: must be a text or a number"),
        ("database_url = [\"hunter2\"]", "f.toml: database_url: must be a text or a number"),
        ("database_url = \"hunter2", "f.toml, line 1: "),
        ("\n\n[work\n", "f.toml, line 3: "),
        ("config = \"other.toml\"", "f.toml: config: there is no such key"),
        ("log_format = \"hunter2\"", "f.toml: log_format: must be one of text, json"),
        ("[wrok]\nqueue = \"hunter2\"", "f.toml: wrok: there is no such key"),
        ("[demo-worker]\n", "f.toml: demo-worker: there is no such key"),
        ("[work]\nqueues = []", "f.toml: work.queues: there is no such key"),
        ("[work]\nqueue = [true]", "f.toml: work.queue: must be a list of texts or numbers"),
        ("[work]\nqueue = [\"mail:0\"]", "f.toml: work.queue: write it like mail or mail:20"),
        ("[work]\ndrain = \"hunter2\"", "f.toml: work.drain: must be true or false"),
        ("[work]\nlease = \"hunter2\"", "f.toml: work.lease: write it like 250ms"),
        ("[jobs.list]\nlimit = 0", "f.toml: jobs.list.limit: "),
        ("[jobs.list]\nid = \"hunter2\"", "f.toml: jobs.list.id: there is no such key"),
        ("[jobs]\nlist = 3", "f.toml: jobs.list: there is no such key"),
        (
            "[dispatch]\ndelay = 1\nrun_at = 2027-01-01T00:00:00Z",
            "f.toml: dispatch.delay and dispatch.run_at exclude each other",
        ),
    ] {
        folder.write("f.toml", text);
        let (code, said) = run(&folder.0, &["--config", "f.toml", "jobs", "list"], &[]);
        assert_eq!(code, 2, "{text}: {said}");
        assert!(said.contains(says), "{text:?} should say {says:?}: {said}");
        assert!(said.lines().any(|line| line.starts_with("hint: ")), "{text}: {said}");
        assert!(!said.contains("hunter2"), "{text}: {said}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = Folder::new();
    folder.write("latin.toml", "");
    fs::write(folder.0.join("latin.toml"), b"database_url = \"\xff\"").unwrap();
    folder.write("long.toml", &"#".repeat((1 << 20) + 1));
    for (file, says) in [
        ("none.toml", "none.toml: there is no such file"),
        (".", "cannot read the configuration file ."),
        ("latin.toml", "cannot read the configuration file latin.toml"),
        ("long.toml", "it is larger than 1 MiB"),
    ] {
        let (code, said) = run(&folder.0, &["jobs", "list", "--config", file], &[]);
        assert_eq!(code, 2, "{file}: {said}");
        assert!(
            said.contains(says) && said.contains("hint: --config or FAIRCLAIM_CONFIG"),
            "{said}"
        );
    }
}

#[test]
fn a_file_that_anybody_may_write_is_read_only_when_it_is_named() {
    let folder = Folder::new();
    let path = folder.write("fairclaim.toml", &marked("here"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let (code, said) = run(&folder.0, &["jobs", "list"], &[]);
    assert_eq!(code, 2);
    assert!(
        said.contains("may be written by every user") && said.contains("hint: chmod o-w"),
        "{said}"
    );
    let (_, said) = run(&folder.0, &["jobs", "list", "--config", "fairclaim.toml"], &[]);
    assert!(said.contains("here: there is no such key"), "{said}");
}

#[test]
fn help_is_shown_whatever_the_file_is_like() {
    let folder = Folder::new();
    folder.write("fairclaim.toml", "broken");
    assert_eq!(run(&folder.0, &["work", "--help"], &[]).0, 0);
    assert_eq!(run(&folder.0, &["--version"], &[]).0, 0);
}

#[test]
fn what_the_file_gives_is_not_missing() {
    let folder = Folder::new();
    let (_, said) = run(&folder.0, &["work"], &[]);
    assert!(said.contains("--exec"), "{said}");
    folder.write("fairclaim.toml", "[work]\nexec = \"mail=true\"\n");
    let (_, said) = run(&folder.0, &["work"], &[]);
    assert!(said.contains("no database is given"), "{said}");
}
