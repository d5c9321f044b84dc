//! Every example of a help runs as it stands there; completions and man pages know every command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;

use crate::command_line::run;
use crate::project;

/// A help, in lines as wide as they are.
pub(crate) fn help(command: &[&str]) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_coldtrail"))
        .args(command)
        .arg("--help")
        .env("COLUMNS", "400")
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    assert_eq!(out.status.code(), Some(0), "{command:?}");
    String::from_utf8(out.stdout).expect("a help is text")
}

/// Names of the commands that a help lists.
fn listed(help: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_list = false;
    for line in help.lines() {
        if line.ends_with(':') && !line.starts_with(' ') {
            let others = ["Arguments:", "Options:", "Global options:", "Examples:"];
            is_list = !others.contains(&line);
        }
        let word = line.strip_prefix("  ").unwrap_or_default();
        if is_list && word.starts_with(|c: char| c.is_ascii_lowercase()) {
            names.extend(word.split(' ').next().map(String::from));
        }
    }
    names
}

/// Every command that does something by itself, word by word.
pub(crate) fn commands() -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for name in listed(&help(&[])) {
        let text = help(&[&name]);
        match text.contains("\nCommands:\n") {
            true => all.extend(
                listed(&text)
                    .into_iter()
                    .map(|below| vec![name.clone(), below]),
            ),
            false => all.push(vec![name]),
        }
    }
    assert!(all.len() > 30, "{all:?}");
    all
}

/// The examples of a help, each as a shell takes it.
fn examples(help: &str) -> Vec<String> {
    let (_, text) = help.split_once("\nExamples:\n").expect("examples");
    let lines = text.lines().take_while(|line| line.starts_with("  "));
    let mut all: Vec<String> = Vec::new();
    for line in lines {
        match (line.starts_with("  # "), all.last_mut()) {
            (true, _) => all.push(String::new()),
            (false, Some(last)) => {
                last.push_str(line.trim_start());
                last.push('\n');
            }
            (false, None) => panic!("`{line}` says not what it does"),
        }
    }
    all
}

pub(crate) fn copied(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.expect("a folder that can be read");
        let place = to.join(entry.path().strip_prefix(from).expect("it lies below"));
        match entry.file_type().is_dir() {
            true => fs::create_dir_all(&place).expect("a folder"),
            false => {
                fs::copy(entry.path(), &place).expect("a copy");
            }
        }
    }
}

fn path() -> std::ffi::OsString {
    let own = Path::new(env!("CARGO_BIN_EXE_coldtrail"));
    let own = own.parent().expect("it lies in a folder").to_path_buf();
    let others = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(own).chain(std::env::split_paths(&others));
    std::env::join_paths(all).expect("folders of a path")
}

fn shell(line: &str, folder: &Path) -> Output {
    Command::new("sh")
        .args(["-c", line])
        .current_dir(folder)
        .env("PATH", path())
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .expect("a shell runs")
}

/// A folder as the examples have it: exports, an archive with alerts, rules of one's own.
pub(crate) fn prepared() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    for entry in fs::read_dir(project("sample-data")).expect("sample data") {
        let entry = entry.expect("an entry");
        let is_whole = entry.file_name() != "broken" && entry.path().is_dir();
        if is_whole {
            copied(&entry.path(), &at.join("exports").join(entry.file_name()));
        }
    }
    fs::copy(
        at.join("exports/watchlists/Labels.csv"),
        at.join("labels.csv"),
    )
    .expect("a list of labels");
    fs::write(at.join("key"), "a key of at least thirty-two bytes\n").expect("a key");
    let configuration = project("src/cli/run/coldtrail.toml");
    fs::copy(configuration, at.join("coldtrail.toml")).expect("a configuration");
    let page = fs::read_to_string(project("GUIDE.md")).expect("the guide");
    let page = page.replace("\r\n", "\n");
    let rule = page.split("\n```yaml\n").nth(1).expect("a rule");
    let rule = rule.split("\n```").next().expect("its end");
    fs::create_dir(at.join("my-rules")).expect("a folder");
    fs::write(at.join("my-rules/risky.yaml"), rule).expect("a rule");
    for line in [
        "coldtrail ingest exports -a archive",
        "coldtrail hunt -a archive -r my-rules --replay --store",
    ] {
        let out = shell(line, at);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(0), "{line}: {said}");
    }
    folder
}

/// Runs an example in a copy of the folder; what is wrong with it, if anything.
fn wrong(line: &str, prepared: &Path) -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder");
    copied(prepared, folder.path());
    let names = || -> Vec<PathBuf> {
        let entries = fs::read_dir(folder.path()).expect("the folder");
        entries.map(|e| e.expect("an entry").path()).collect()
    };
    let before = names().len();
    let out = shell(line, folder.path());
    let (said, told) = (
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr),
    );
    let is_silent = said.is_empty() && told.is_empty() && names().len() == before;
    // What reads questions from a terminal has none here.
    let may_be_silent = line.starts_with("coldtrail shell");
    match out.status.code() {
        Some(0) if !is_silent || may_be_silent => None,
        code => Some(format!("$ {line}ends with {code:?}\n{said}{told}")),
    }
}

#[test]
#[cfg(unix)]
fn every_example_of_a_help_runs() {
    let folder = prepared();
    let mut lines: Vec<String> = examples(&help(&[]));
    for command in commands() {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let of_command = examples(&help(&words));
        assert!(of_command.len() >= 2, "{command:?}: {of_command:?}");
        lines.extend(of_command);
    }
    lines.sort();
    lines.dedup();
    let queue = Mutex::new(lines);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let next = || queue.lock().expect("no panic").pop();
                while let Some(line) = next() {
                    let found = wrong(&line, folder.path());
                    failed.lock().expect("no panic").extend(found);
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no panic");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn every_command_is_named_by_the_help_in_a_group() {
    let text = help(&[]);
    for heading in [
        "Read and keep:",
        "Ask:",
        "Detect:",
        "Tell:",
        "Set up:",
        "Options:",
        "Examples:",
    ] {
        assert!(
            text.contains(&format!("\n{heading}\n")),
            "{heading}: {text}"
        );
    }
    assert!(!text.contains("\nMore:\n"), "{text}");
    let short = run(&["-h"]);
    let short = String::from_utf8_lossy(&short.stdout).into_owned();
    assert!(short.lines().count() <= 55, "{short}");
    assert!(!short.contains("Examples:"), "{short}");
    assert!(!short.contains("--temp-dir"), "{short}");
    assert!(text.contains("--temp-dir"), "{text}");
}

#[test]
fn options_of_a_long_help_stand_in_groups() {
    let text = help(&["hunt"]);
    for heading in ["Options:", "Rules:", "Time:", "Output:", "Global options:"] {
        assert!(
            text.contains(&format!("\n{heading}\n")),
            "{heading}: {text}"
        );
    }
}

#[test]
fn every_command_has_a_man_page_with_its_examples() {
    let folder = tempfile::tempdir().expect("a folder");
    let man = folder.path().join("man1");
    let name = man.to_string_lossy();
    let made = run(&["completions", "man", "-o", &name]);
    assert_eq!(made.status.code(), Some(0));
    let mut pages: Vec<PathBuf> = vec![man.join("coldtrail.1")];
    for command in commands() {
        pages.push(man.join(format!("coldtrail-{}.1", command.join("-"))));
    }
    for page in &pages {
        let text = fs::read_to_string(page).unwrap_or_else(|e| panic!("{}: {e}", page.display()));
        for section in [".SH NAME", ".SH EXAMPLES", ".SH \"EXIT STATUS\""] {
            assert!(text.contains(section), "{}: {section}", page.display());
        }
    }
    let again = run(&["completions", "man", "-o", &name]);
    assert_eq!(again.status.code(), Some(3));
    let checked = Command::new("groff")
        .args(["-man", "-ww", "-K", "utf8", "-T", "utf8", "-z"])
        .args(&pages)
        .output();
    match checked {
        Ok(out) => {
            let said = String::from_utf8_lossy(&out.stderr);
            // A word may be longer than a line.
            let is_wrong = |line: &&str| !line.contains("break line");
            let wrong: Vec<&str> = said.lines().filter(is_wrong).collect();
            assert!(out.status.success() && wrong.is_empty(), "{wrong:#?}");
        }
        Err(e) => println!("skipped: no groff: {e}"),
    }
}

#[test]
fn scripts_for_shells_are_written_and_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let out = run(&["completions", shell]);
        assert_eq!(out.status.code(), Some(0), "{shell}");
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(text.contains("indicators"), "{shell}: {text}");
        let file = folder.path().join(shell);
        let name = file.to_string_lossy();
        let code = |arguments: &[&str]| run(arguments).status.code();
        assert_eq!(code(&["completions", shell, "-o", &name]), Some(0));
        assert_eq!(code(&["completions", shell, "-o", &name]), Some(3));
        assert_eq!(code(&["completions", shell, "-o", &name, "-C"]), Some(0));
        assert_eq!(fs::read_to_string(&file).expect("a script"), text);
        // Names of packs stand beside files, values behind their options.
        for part in match shell {
            "zsh" => &[
                "compadd -a packs",
                ":RULES:_coldtrail_rules'",
                ":(ingest hunt ",
            ][..],
            "fish" => &[
                "-r -F -a \"builtin\\t''\nbuiltin:copilot\\t''",
                "-a \"ingest\\t''",
            ],
            "powershell" => &[
                "'coldtrail;run --only' { 'ingest', 'hunt',",
                "'coldtrail;hunt -r' { 'builtin', 'builtin:copilot',",
                "'coldtrail;sql -f' { 'table', 'csv',",
            ],
            _ => &[],
        } {
            assert!(text.contains(part), "{shell}: {part}");
        }
        if let "bash" | "zsh" | "fish" = shell {
            match Command::new(shell).arg("-n").arg(&file).output() {
                Ok(out) => assert!(out.status.success(), "{shell}: {out:?}"),
                Err(e) => println!("skipped: no {shell}: {e}"),
            }
        }
    }
}

#[test]
fn a_page_names_the_options_of_its_own_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let name = folder.path().to_string_lossy();
    assert_eq!(
        run(&["completions", "man", "-o", &name]).status.code(),
        Some(0)
    );
    let page = |name: &str| {
        let text = fs::read_to_string(folder.path().join(name)).expect("a page");
        text.replace("\\-", "-")
    };
    let of_hunt = page("coldtrail-hunt.1");
    let synopsis = of_hunt
        .split(".SH")
        .find(|part| part.starts_with(" SYNOPSIS"));
    let synopsis = synopsis.expect("a synopsis");
    assert!(synopsis.contains("--archive"), "{synopsis}");
    for global in ["--quiet", "--memory-limit", "--log-format"] {
        assert!(!synopsis.contains(global), "{synopsis}");
        assert!(page("coldtrail.1").contains(&format!("\\fB{global}\\fR")));
    }
    assert!(!of_hunt.contains("--log-format"), "{of_hunt}");
    assert!(
        of_hunt.contains("And the options of \\fBcoldtrail\\fR(1)"),
        "{of_hunt}"
    );
}

#[test]
fn bash_completes_commands_and_options() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("coldtrail.bash");
    let out = run(&["completions", "bash"]);
    fs::write(&script, out.stdout).expect("a script");
    for (words, cursor, wanted) in [
        ("coldtrail hu", "hu", "hunt"),
        ("coldtrail rules cov", "cov", "coverage"),
        ("coldtrail hunt --fail", "--fail", "--fail-on"),
        ("coldtrail hunt -m l", "l", "low"),
        ("coldtrail run --only hu", "hu", "hunt"),
        ("coldtrail kql -f ku", "ku", "kusto"),
        ("coldtrail timeline -f body", "body", "bodyfile"),
        ("coldtrail hunt -r builtin:mi", "builtin:mi", "builtin:mip"),
        (
            "coldtrail rules check builtin:mi",
            "builtin:mi",
            "builtin:mip",
        ),
    ] {
        let count = words.split(' ').count() - 1;
        let before = words.split(' ').nth(count - 1).expect("a word before");
        let line = format!(
            ". '{}'; COMP_WORDS=({words}); COMP_CWORD={count}; _coldtrail coldtrail '{cursor}' '{before}'; echo \"${{COMPREPLY[*]}}\"",
            script.display()
        );
        match Command::new("bash").args(["-c", &line]).output() {
            Ok(out) => {
                let said = String::from_utf8_lossy(&out.stdout);
                assert_eq!(said.trim(), wanted, "{words}: {out:?}");
            }
            Err(e) => println!("skipped: no bash: {e}"),
        }
    }
    // A colon cuts a word in bash, which replaces what is behind it.
    let line = format!(
        ". '{}'; COMP_LINE='coldtrail hunt -r builtin:mi'; COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=(coldtrail hunt -r builtin : mi); COMP_CWORD=5; _coldtrail_whole coldtrail mi :; echo \"${{COMPREPLY[*]}}\"",
        script.display()
    );
    if let Ok(out) = Command::new("bash").args(["-c", &line]).output() {
        assert_eq!(
            String::from_utf8_lossy(&out.stdout).trim(),
            "mip",
            "{out:?}"
        );
    }
}
