//! What somebody at a terminal sees: a question that waits for an answer, colours, a bar that
//! moves.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use fairclaim::Status;
use pty_process::{Size, blocking};

use crate::support::{TestServer, fairclaim, wait_for};

/// A command that runs on a terminal, and somebody who types.
struct Session {
    child: std::process::Child,
    keyboard: fs::File,
    screen: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Session {
    fn start(command: &Command) -> Self {
        Self::start_at(command, Size::new(40, 120))
    }

    fn start_at(command: &Command, size: Size) -> Self {
        let (terminal, child_side) = blocking::open().expect("a terminal");
        terminal.resize(size).expect("its size");
        let variables = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let on_terminal = blocking::Command::new(command.get_program())
            .args(command.get_args())
            .env_remove("NO_COLOR")
            .env("TERM", "xterm")
            .envs(variables);
        let child = on_terminal.spawn(child_side).expect("the command");
        let screen = Arc::new(Mutex::new(Vec::new()));
        let keyboard: std::os::fd::OwnedFd = terminal.into();
        let mut output = fs::File::from(keyboard.try_clone().expect("a second handle"));
        let seen = Arc::clone(&screen);
        // to the end, which is an error where the last process has left its terminal
        let reader = std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut piece) {
                seen.lock().unwrap().extend(&piece[..length]);
            }
        });
        Self { child, keyboard: fs::File::from(keyboard), screen, reader }
    }

    fn seen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    /// Waits for a question and answers it.
    fn answer(&mut self, question: &str, answer: &str) {
        wait_for(question, || self.seen().contains(question));
        self.keyboard.write_all(answer.as_bytes()).unwrap();
    }

    /// Its exit code, and all that stood on the screen.
    fn end(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        self.reader.join().unwrap();
        (code, String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned())
    }
}

fn at_terminal<'a>(server: &TestServer, args: impl IntoIterator<Item = &'a str>) -> Session {
    Session::start(&server.fairclaim(args))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_action_asks_and_takes_only_a_yes_for_one() {
    let server = TestServer::installed().await;
    server.dispatch("mail", 3).await;
    for answer in ["n\n", "\n", "yo\n", "\u{4}"] {
        let mut asked = at_terminal(&server, ["jobs", "cancel", "--type", "mail"]);
        asked.answer(
            "cancel 3 pending jobs of type mail in queue default, of 2 tenants? [y/N] ",
            answer,
        );
        let (code, screen) = asked.end();
        assert!(screen.contains("nothing was changed"), "{answer:?}: {screen}");
        assert!(!screen.contains("error"), "{answer:?}: {screen}");
        assert_eq!((code, server.count(Status::Cancelled).await), (Some(0), 0), "{answer:?}");
    }
    let mut asked = at_terminal(&server, ["jobs", "cancel", "--type", "mail"]);
    asked.answer("[y/N] ", "y\n");
    let (code, screen) = asked.end();
    assert!(screen.contains("3 cancelled"), "{screen}");
    assert_eq!((code, server.count(Status::Cancelled).await), (Some(0), 3));
}

/// What a terminal of 80 columns shows of a command, without colours.
fn at_80(server: &TestServer, args: &[&str]) -> String {
    let command = server.fairclaim(args.iter().copied());
    let (code, screen) = Session::start_at(&command, Size::new(40, 80)).end();
    assert_eq!(code, Some(0), "{screen}");
    let plain = anstream::adapter::strip_str(&screen).to_string().replace('\r', "");
    for line in plain.lines() {
        assert!(line.chars().count() <= 80, "wider than the terminal: {line:?}\n{plain}");
    }
    plain
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_and_a_story_fit_eighty_columns_and_say_why_a_job_failed() {
    let server = TestServer::installed().await;
    let long = "a_type_with_a_name_that_is_much_longer_than_any_column_may_be";
    let id = server.dispatch(long, 1).await[0].to_string();
    server.dispatch("waits", 1).await;
    let exec = format!("{long}=echo the mast broke >&2; exit 65");
    server.run(["work", "--drain", "--exec", &exec]);
    let list = at_80(&server, &["jobs", "list"]);
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(
        lines[0].split_whitespace().collect::<Vec<_>>()[1..4],
        ["STATUS", "TYPE", "ATTEMPTS"]
    );
    assert!(
        lines[1].contains("pending") && lines[1].contains("0/2") && lines[1].ends_with("due"),
        "{list}"
    );
    assert!(lines[2].contains("failed") && lines[2].ends_with('-'), "{list}");
    assert!(lines[3].starts_with("    exit_65: the command exited with 65"), "{list}");
    let wide = Session::start_at(&server.fairclaim(["jobs", "list"]), Size::new(40, 240)).end().1;
    assert!(wide.contains("QUEUE") && wide.contains("WORKER") && wide.contains("ERROR"), "{wide}");
    let story = at_80(&server, &["jobs", "show", &id]);
    for part in
        ["attempt 1 failed: exit_65 (", "\n      the mast broke", "ended as failed", "payload\n"]
    {
        assert!(story.contains(part), "{part}: {story}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_list_is_drawn_in_place_and_ends_well_with_ctrl_c() {
    let server = TestServer::installed().await;
    server.dispatch("mail", 1).await;
    let mut watching = at_terminal(&server, ["jobs", "list", "--watch", "0.2"]);
    wait_for("a first look", || watching.seen().contains("pending"));
    server.run(["jobs", "cancel", "--type", "mail", "--yes"]);
    wait_for("a look that sees the change", || watching.seen().contains("cancelled"));
    watching.keyboard.write_all(b"\x03").unwrap();
    let (code, screen) = watching.end();
    assert_eq!(code, Some(0), "{screen}");
    let again = screen.matches("\u{1b}[3A").count();
    assert!(again >= 1, "each look takes the three lines of the one before: {screen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_are_for_terminals_that_want_them() {
    let server = TestServer::installed().await;
    server.dispatch("mail", 1).await;
    server.run(["jobs", "cancel", "--type", "mail", "--yes"]); // what waits has no colour
    let list = |more: &[&'static str], variable: Option<&str>| {
        let mut command =
            server.fairclaim(["jobs", "list"].into_iter().chain(more.iter().copied()));
        command.envs(variable.map(|name| (name, OsStr::new("1"))));
        let (code, screen) = Session::start(&command).end();
        assert_eq!(code, Some(0), "{screen}");
        assert!(screen.contains("mail"), "{screen}");
        screen.contains("\u{1b}[")
    };
    assert!(list(&[], None), "no colours on a terminal");
    assert!(!list(&["--color", "never"], None));
    assert!(!list(&[], Some("NO_COLOR")));
    assert!(!server.run(["jobs", "list"]).contains('\u{1b}'), "colours in a pipe");
    assert!(server.run(["jobs", "list", "--color", "always"]).contains('\u{1b}'));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_dispatch_shows_how_far_it_is_and_clears_the_bar() {
    const LINES: usize = 20_000;
    let server = TestServer::installed().await;
    let file = std::env::temp_dir().join(format!("fc-lines-{}.jsonl", uuid::Uuid::new_v4()));
    let line = r#"{"tenant": "acme", "type": "mail"}"#;
    fs::write(&file, format!("{line}\n").repeat(LINES)).unwrap();
    let arguments = ["dispatch", "--file", file.to_str().unwrap()];
    let (code, screen) = at_terminal(&server, arguments).end();
    fs::remove_file(&file).unwrap();
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains(" dispatched  ") && screen.contains(" left"), "no bar: {screen}");
    let last = screen.rsplit("\u{1b}[2K").next().unwrap();
    assert!(last.contains("20,000 lines: 20,000 dispatched, 0 refused"), "not cleared: {last}");
    assert!(!last.contains('%'), "{last}");
}

/// The pictures that were drawn, from the first to the last: what stood in place of the picture
/// before.
fn pictures(screen: &str) -> Vec<Vec<String>> {
    let drawn = screen.split("\u{1b}[J").map(|text| anstream::adapter::strip_str(text).to_string());
    drawn.map(|text| text.lines().map(|line| line.trim_end().to_owned()).collect()).collect()
}

#[test]
fn a_picture_of_the_demo_fits_its_terminal_and_its_numbers_add_up() {
    for (columns, rows) in [(80, 24), (120, 40)] {
        let demo = fairclaim(["demo", "--offline", "--jobs", "4000", "--tenants", "30"]);
        let (code, screen) = Session::start_at(&demo, Size::new(rows, columns)).end();
        assert_eq!(code, Some(0), "{screen}");
        let pictures = pictures(&screen);
        // it never stands still without a word
        assert!(pictures[0].iter().any(|line| line.contains("starting a PostgreSQL")), "{screen}");
        let number = |text: &str| text.replace(',', "").parse::<usize>().unwrap();
        let mut looks = 0;
        for picture in &pictures {
            // the commands at the end have the path of this build
            let drawn = picture.iter().take_while(|line| *line != "Try next:");
            let widest = drawn.map(|line| line.chars().count()).max().unwrap_or(0);
            assert!(widest < usize::from(columns), "{widest} columns: {picture:#?}");
            let Some(of) = picture.iter().find(|line| line.contains(" jobs done ")) else {
                continue;
            };
            let finished = number(of.split_whitespace().next().unwrap());
            let tenants =
                |line: &&String| line.starts_with("  tenant-") || line.contains(" others ");
            let done = |line: &String| {
                let fields: Vec<&str> = line
                    .trim_start()
                    .split("  ")
                    .map(str::trim)
                    .filter(|field| !field.is_empty())
                    .collect();
                number(fields[2])
            };
            assert_eq!(
                picture.iter().filter(tenants).map(done).sum::<usize>(),
                finished,
                "{picture:#?}"
            );
            looks += 1;
        }
        assert!(looks > 3, "{looks} pictures: {screen}");
    }
}

#[test]
fn help_is_no_wider_than_the_terminal() {
    let (code, screen) = Session::start(&fairclaim(["jobs", "list", "--help"])).end();
    assert_eq!(code, Some(0));
    let plain = anstream::adapter::strip_str(&screen).to_string();
    let widest = plain.lines().map(|line| line.chars().count()).max();
    assert!(widest.is_some_and(|width| width <= 120), "{widest:?} columns");
}

#[test]
fn a_command_line_of_nothing_prints_the_help_whatever_the_environment_holds() {
    let output = fairclaim([]).env("DATABASE_URL", "postgres://a@b/c").output().unwrap();
    let said = crate::support::stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("Usage: fairclaim") && said.contains("Watch it work"), "{said}");
    assert!(!said.contains("demo-worker"), "{said}");
}
