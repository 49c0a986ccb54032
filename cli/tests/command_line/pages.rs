//! Completions and manual pages.

use std::process::{Command, Stdio};
use std::{fs, io::Write};

use super::{fails, fairclaim, text};

#[test]
fn completions_are_a_script_that_the_shell_takes() {
    for shell in ["bash", "zsh", "fish"] {
        let output = fairclaim(&["completions", shell]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let script = text(&output.stdout);
        for word in ["dispatch", "migrate", "--refused", "completions"] {
            assert!(script.contains(word.trim_start_matches("--")), "{shell}: {word} is missing");
        }
        let check =
            Command::new(shell).arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let Ok(mut check) = check else {
            assert_ne!(shell, "bash", "bash is needed for this test");
            continue;
        };
        check.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let checked = check.wait_with_output().unwrap();
        assert!(checked.status.success(), "{shell}: {}", text(&checked.stderr));
    }
    fails(&["completions", "tcsh"], 2, "possible values");
}

/// Nothing here may have these shells, so their scripts are only read.
#[test]
fn completions_for_elvish_and_powershell_name_every_command() {
    let mut commands = Vec::new();
    super::ask_for_help(&[], &mut commands);
    assert!(commands.len() > 20, "{commands:?}");
    for shell in ["elvish", "powershell"] {
        let output = fairclaim(&["completions", shell]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let script = text(&output.stdout);
        for command in &commands {
            let path = ["fairclaim"].into_iter().chain(command.split_whitespace());
            let path = format!("'{}'", path.collect::<Vec<_>>().join(";"));
            assert!(script.contains(&path), "{shell}: {path} is missing");
        }
        assert!(script.contains("--refused") && !script.contains("demo-worker"), "{shell}");
    }
}

#[test]
fn bash_completes_commands_and_flags() {
    let script = text(&fairclaim(&["completions", "bash"]).stdout);
    let asks = |line: &[&str]| {
        let words: Vec<String> = line.iter().map(|word| format!("'{word}'")).collect();
        let ask = format!(
            "{script}\nCOMP_WORDS=({}); COMP_CWORD={}; _fairclaim fairclaim '{}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words.join(" "),
            line.len() - 1,
            line[line.len() - 1],
            line[line.len() - 2],
        );
        // longer than one argument may be
        let mut bash = Command::new("bash");
        let mut shell = bash.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        shell.stdin.take().unwrap().write_all(ask.as_bytes()).unwrap();
        text(&shell.wait_with_output().unwrap().stdout)
    };
    assert_eq!(asks(&["fairclaim", "disp"]).trim(), "dispatch");
    assert_eq!(asks(&["fairclaim", "dispatch", "--refu"]).trim(), "--refused");
    assert!(!asks(&["fairclaim", "demo"]).contains("demo-worker"));
}

#[test]
fn every_command_has_a_page() {
    let folder = std::env::temp_dir().join(format!("fc-man-{}", std::process::id()));
    let output = fairclaim(&["man", "--dir", folder.join("man1").to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let mut seen = Vec::new();
    super::ask_for_help(&[], &mut seen);
    for command in seen {
        let name = ["fairclaim", &command].join(" ").trim().replace(' ', "-");
        let page = fs::read_to_string(folder.join(format!("man1/{name}.1")));
        let page = page.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"), "{name}");
        // the flags of every command stand on the first page, and the others say so
        assert_eq!(page.contains("log\\-format"), name == "fairclaim", "{name}");
        assert!(page.contains("database\\-url"), "{name} does not say where they are");
    }
    assert!(!folder.join("man1/fairclaim-demo-worker.1").exists());
    fs::remove_dir_all(&folder).unwrap();
    assert!(text(&fairclaim(&["man"]).stdout).contains(".TH fairclaim 1"));
    fails(&["man", "--dir", "/dev/null/x"], 1, "cannot write manual pages");
}
