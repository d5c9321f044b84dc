//! A module names only modules on an earlier line of the list. The order is the design; see `lib.rs`.

use std::collections::HashMap;

use crate::project;

/// Lowest first; modules of one line do not name each other.
const LAYERS: [&[&str]; 16] = [
    &["fault", "progress"],
    &["text"],
    &["catalog"],
    &["storage"],
    &["ingest", "archive", "function"],
    &["kql"],
    &["sigma"],
    &["convert", "engine"],
    &["proof"],
    &["rules"],
    &["hunt"],
    &["cluster"],
    &["case"],
    &[
        "cost",
        "indicators",
        "labels",
        "notify",
        "report",
        "share",
        "timeline",
    ],
    &["nightly"],
    &["cli"],
];

#[test]
fn modules_name_only_lower_modules() {
    let mut level = HashMap::new();
    for (i, modules) in LAYERS.iter().enumerate() {
        for module in *modules {
            level.insert(*module, i);
        }
    }
    let mut faults = Vec::new();
    let mut seen = 0;
    for entry in walkdir::WalkDir::new(project("src")) {
        let entry = entry.expect("src can be read");
        let path = entry.path();
        if path.extension().is_none_or(|e| e != "rs") {
            continue;
        }
        let below = path.strip_prefix(project("src")).expect("below src");
        let first = below
            .components()
            .next()
            .expect("a name")
            .as_os_str()
            .to_string_lossy()
            .into_owned();
        let module = first.trim_end_matches(".rs").to_string();
        if module == "lib" || module == "main" {
            continue;
        }
        let own = *level
            .get(module.as_str())
            .unwrap_or_else(|| panic!("module `{module}` stands in no layer"));
        seen += 1;
        let text = std::fs::read_to_string(path).expect("source can be read");
        for (i, line) in text.lines().enumerate() {
            for part in line.split("crate::").skip(1) {
                let named: String = part
                    .chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                    .collect();
                if let Some(other) = level.get(named.as_str())
                    && named != module
                    && *other >= own
                {
                    faults.push(format!("{}:{}: names {named}", below.display(), i + 1));
                }
            }
        }
    }
    assert!(seen > 20, "only {seen} files were looked at");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn only_the_command_line_knows_the_terminal_and_the_clock() {
    let mut faults = Vec::new();
    for entry in walkdir::WalkDir::new(project("src")) {
        let entry = entry.expect("src can be read");
        let path = entry.path();
        if path.extension().is_none_or(|e| e != "rs") || path.starts_with(project("src/cli")) {
            continue;
        }
        let text = std::fs::read_to_string(path).expect("source can be read");
        for (i, line) in text.lines().enumerate() {
            for word in [
                "println!(",
                "print!(",
                "Utc::now()",
                "SystemTime::now",
                "indicatif",
                "clap::",
                "process::exit",
            ] {
                if line.contains(word) {
                    faults.push(format!("{}:{}: {word}", path.display(), i + 1));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
