//! The commands of the README and the guides are taken as they stand there, and print what is shown.

use std::fs;
use std::path::Path;

use crate::command_line::run;
use crate::durable::copy;
use crate::project;

/// A command, and the lines that the README shows below it.
struct Shown {
    words: Vec<String>,
    lines: Vec<String>,
}

/// The words of a command line, without what a `#` begins.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_with(String::new);
            }
            (None, ' ') => words.extend(word.take()),
            (None, '#') if word.is_none() => return words,
            (_, c) => word.get_or_insert_with(String::new).push(c),
        }
    }
    words.extend(word);
    words
}

/// What stands between the fences of this kind.
fn fenced<'t>(readme: &'t str, kind: &str) -> Vec<&'t str> {
    let fence = format!("\n```{kind}\n");
    let parts = readme.split(fence.as_str()).skip(1);
    let block = |part: &'t str| part.split("\n```").next().unwrap_or_default();
    parts.map(block).collect()
}

/// The commands of coldtrail, in their order.
fn commands(readme: &str) -> Vec<Shown> {
    let mut found: Vec<Shown> = Vec::new();
    for block in fenced(readme, "console") {
        let mut is_ours = false;
        for line in block.lines() {
            match line.strip_prefix("$ ") {
                Some(command) => {
                    let command = command.replace("cargo run --release --", "coldtrail");
                    let mut words = words(&command).into_iter();
                    is_ours = words.next().as_deref() == Some("coldtrail");
                    if is_ours {
                        found.push(Shown {
                            words: words.collect(),
                            lines: Vec::new(),
                        });
                    }
                }
                None if is_ours => {
                    let last = found.last_mut().expect("a command was before it");
                    last.lines.push(line.to_string());
                }
                None => {}
            }
        }
    }
    found
}

/// What tells people how to use coldtrail, from the project's root.
const DOCUMENTS: [&str; 3] = ["README.md", "GUIDE.md", "queries/README.md"];

/// Words of commands that speak of files which only their reader has: such commands are understood, and not run.
const READERS_OWN: [&str; 1] = ["archive/"];

fn document(name: &str) -> String {
    let text = fs::read_to_string(project(name)).expect("a document");
    text.replace("\r\n", "\n")
}

#[test]
fn every_command_of_the_documents_is_taken() {
    for name in DOCUMENTS {
        let commands = commands(&document(name));
        assert!(commands.len() >= 5, "{name}: {} commands", commands.len());
        for command in commands {
            let mut arguments: Vec<&str> = command.words.iter().map(String::as_str).collect();
            // What is asked for is told, and what was said before it is understood first.
            arguments.push("--help");
            let out = run(&arguments);
            let said = String::from_utf8_lossy(&out.stderr);
            assert_eq!(out.status.code(), Some(0), "{name}: {arguments:?}: {said}");
        }
    }
}

/// Writes the rules that a document shows, each below a line that ends with its file: "in `my-rules/NAME`:".
fn write_rules(text: &str, folder: &Path) {
    for part in text.split("n `my-rules/").skip(1) {
        let Some((name, rest)) = part.split_once("`:\n\n```") else {
            continue;
        };
        if name.contains('`') {
            continue;
        }
        let (_, rest) = rest.split_once('\n').expect("a fence ends its line");
        let (rule, _) = rest.split_once("\n```").expect("a block has an end");
        fs::write(folder.join(name), format!("{rule}\n")).expect("a rule");
    }
}

/// Writes the configurations that a document shows, each below a line that ends with its file: "In `out/NAME.toml`:".
fn write_configurations(text: &str, folder: &Path) {
    for part in text.split("In `out/").skip(1) {
        if let Some((name, rest)) = part.split_once("`:\n\n```toml\n")
            && !name.contains('`')
        {
            let (said, _) = rest.split_once("\n```").expect("a block has an end");
            fs::create_dir_all(folder.join("out")).expect("a folder");
            fs::write(folder.join("out").join(name), format!("{said}\n")).expect("a configuration");
        }
    }
}

/// Both streams of a command, by lines.
type Said = (Vec<String>, Vec<String>);

/// Runs a command whose results and rules lie in this folder; its exit code and streams, as they stand in a document.
fn answer(folder: &Path, words: &[String]) -> (Option<i32>, Said) {
    let place = format!("{}/", folder.display());
    let arguments: Vec<String> = words
        .iter()
        .map(|word| match word.split('/').next() {
            Some("out" | "my-rules") => format!("{place}{word}"),
            _ => word.clone(),
        })
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let out = run(&arguments);
    let lines = |bytes: &[u8]| -> Vec<String> {
        let text = String::from_utf8_lossy(bytes).replace(&place, "");
        text.lines().map(String::from).collect()
    };
    (out.status.code(), (lines(&out.stdout), lines(&out.stderr)))
}

/// Holds that a command says these lines, and nothing else but where `…` stands.
fn assert_says(words: &[String], lines: &[String], said: &Said) {
    let (mut out, mut told) = (said.0.as_slice(), said.1.as_slice());
    let (mut is_out_cut, mut is_told_cut) = (false, false);
    for line in lines {
        if line == "…" {
            (is_out_cut, is_told_cut) = (true, true);
            continue;
        }
        let at = |stream: &[String], is_cut: bool| match is_cut {
            true => stream.iter().position(|said| said == line),
            false => (stream.first() == Some(line)).then_some(0),
        };
        match (at(out, is_out_cut), at(told, is_told_cut)) {
            (Some(at), _) => (out, is_out_cut) = (&out[at + 1..], false),
            (None, Some(at)) => (told, is_told_cut) = (&told[at + 1..], false),
            (None, None) => panic!("{words:?} does not say\n{line}\nbut\n{out:#?}\n{told:#?}"),
        }
    }
    assert!(
        is_out_cut || out.is_empty(),
        "{words:?} says more: {out:#?}"
    );
    let is_wrong = |line: &&String| line.starts_with("warning") || line.starts_with("error");
    let wrong: Vec<&String> = told.iter().filter(is_wrong).collect();
    assert!(wrong.is_empty(), "{words:?}: {wrong:#?}");
}

#[test]
fn what_the_documents_show_is_what_their_commands_print() {
    let first = tempfile::tempdir().expect("a folder");
    let analyze: Vec<String> = ["analyze", "sample-data", "-o", "out"]
        .map(String::from)
        .to_vec();
    let (code, said) = answer(first.path(), &analyze);
    assert_eq!(code, Some(0), "{said:?}");
    for (name, least) in DOCUMENTS.into_iter().zip([3, 14, 5]) {
        let text = document(name);
        let folder = tempfile::tempdir().expect("a folder");
        let rules = folder.path().join("my-rules");
        fs::create_dir(&rules).expect("a folder");
        write_rules(&text, &rules);
        if text.contains("../sample-data") {
            copy(&project("sample-data"), &folder.path().join("sample-data"));
        }
        // One archive serves all: each document begins with what the README's first command leaves.
        if name != "README.md" {
            copy(&first.path().join("out"), &folder.path().join("out"));
        }
        let shown = commands(&text);
        // The guide has commands that ask for files of its reader; all of the others' are run.
        let runs_all = name != "GUIDE.md";
        let is_run = |shown: &&Shown| {
            let is_own = |word: &String| READERS_OWN.contains(&word.as_str());
            (runs_all || !shown.lines.is_empty()) && !shown.words.iter().any(is_own)
        };
        let mut compared = 0;
        for Shown { words, lines } in shown.iter().filter(is_run) {
            // The first command makes the folder, and asks for none that exists.
            if words.first().is_some_and(|word| word == "run") {
                write_configurations(&text, folder.path());
            }
            let (code, said) = answer(folder.path(), words);
            if lines.is_empty() {
                assert_eq!(code, Some(0), "{name}: {words:?}: {said:?}");
            } else {
                assert_says(words, lines, &said);
                compared += 1;
            }
        }
        assert!(
            compared >= least,
            "{name}: {compared} commands with what they print"
        );
    }
}
