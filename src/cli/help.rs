//! What `--help` shows beside what clap makes by itself: commands in groups, options in groups, examples. All of it is made of clap's own
//! table of commands, so that names and sentences stand in one place.

use clap::builder::styling::Styles;
use clap::{Arg, Command};
use unicode_width::UnicodeWidthStr;

use super::examples::{self, Example};
use super::{exit, ui};

/// Commands by what they are for. Those of no group come last, under [`REST`].
const GROUPS: [(&str, &[&str]); 5] = [
    (
        "Read and keep",
        &["ingest", "tables", "gaps", "verify", "archive"],
    ),
    ("Ask", &["sql", "kql", "ask", "shell", "labels", "timeline"]),
    ("Detect", &["hunt", "rules", "alerts"]),
    (
        "Tell",
        &[
            "analyze",
            "report",
            "notify",
            "indicators",
            "export",
            "cost",
        ],
    ),
    ("Set up", &["run", "worker", "completions"]),
];
const REST: &str = "More";

/// Options by what they are about, as their fields are called. Others stand under a heading of their own struct, or under `Options`.
const OPTIONS: [(&str, &[&str]); 4] = [
    (
        "Rules",
        &[
            "rules",
            "set",
            "min_level",
            "fail_on",
            "ignore_missing",
            "rule_timeout",
            "saved_functions",
            "external_data",
            "geoip",
        ],
    ),
    ("Cluster", &["cluster", "secret_file"]),
    ("Time", &["from", "to", "since", "at", "timeout"]),
    ("Output", &["format", "output", "clobber", "tz", "show_tz"]),
];

/// Options that few need: `--help` has them, `-h` does not.
const RARE: [&str; 21] = [
    "rule_timeout",
    "saved_functions",
    "external_data",
    "geoip",
    "cluster",
    "secret_file",
    "timeout",
    "log_format",
    "threads",
    "memory_limit",
    "temp_dir",
    "all_columns",
    "allow_recipient",
    "template",
    "smtp_login",
    "smtp_ca",
    "rate",
    "retries",
    "retry_wait",
    "date_order",
    "time_column",
];

/// A command has its options in groups when it has more than these.
const FEW: usize = 8;

/// Width of a help that goes to no terminal, as clap has it.
const USUAL_WIDTH: usize = 100;

/// A longer example goes on in a further line, so that it can be copied from any terminal.
const EXAMPLE_WIDTH: usize = 74;

/// The table of commands with groups and examples.
pub(super) fn complete(root: Command) -> Command {
    let width = ui::columns().unwrap_or(USUAL_WIDTH);
    let styles = root.get_styles().clone();
    let template = template(&root, &styles, width);
    let mut ending = shown(examples::of(""), &styles);
    ending.push('\n');
    ending.push_str(exit::HELP);
    root.mut_args(rare)
        .mut_subcommands(|command| with_examples(command, "", &styles))
        .help_template(template)
        .after_help("`coldtrail --help` has examples and exit codes, `coldtrail COMMAND -h` the options of a command")
        .after_long_help(ending)
}

/// A command, and those below it, with examples and with options in groups.
fn with_examples(command: Command, above: &str, styles: &Styles) -> Command {
    let name = match above {
        "" => command.get_name().to_string(),
        above => format!("{above} {}", command.get_name()),
    };
    let options = command.get_arguments().filter(|arg| !arg.is_positional());
    let many = options.count() > FEW;
    let command = command.mut_args(|arg| match many {
        true => rare(grouped(arg)),
        false => arg,
    });
    let command = match examples::of(&name) {
        [] => command,
        some => command.after_long_help(shown(some, styles)),
    };
    command.mut_subcommands(|below| with_examples(below, &name, styles))
}

fn rare(arg: Arg) -> Arg {
    match RARE.contains(&arg.get_id().as_str()) {
        true => arg.hide_short_help(true),
        false => arg,
    }
}

/// An option under the heading of what it is about, where it has none.
fn grouped(arg: Arg) -> Arg {
    if arg.is_positional() || arg.get_help_heading().is_some() {
        return arg;
    }
    let id = arg.get_id().as_str();
    let heading = OPTIONS
        .iter()
        .find(|(_, ids)| ids.contains(&id))
        .map(|(heading, _)| *heading);
    match heading {
        Some(heading) => arg.help_heading(heading),
        None => arg,
    }
}

/// Examples as they stand at the end of a help.
fn shown(examples: &[Example], styles: &Styles) -> String {
    let head = styles.get_header();
    let mut text = format!("{head}Examples:{head:#}\n");
    for Example { line, does } in examples {
        // Inside quotes a backslash would be a part of the text.
        let line = match line.contains(['\'', '"']) {
            true => (*line).to_string(),
            false => wrapped(line, EXAMPLE_WIDTH).join(" \\\n      "),
        };
        text.push_str(&format!("  # {does}\n  {line}\n"));
    }
    text
}

/// Headings with their commands. A command of no group is under the last.
fn groups(root: &Command) -> Vec<(&'static str, Vec<&Command>)> {
    let visible = |command: &&Command| !command.is_hide_set();
    let mut all: Vec<(&'static str, Vec<&Command>)> = Vec::new();
    for (heading, names) in GROUPS {
        let named = names.iter().filter_map(|name| root.find_subcommand(name));
        all.push((heading, named.filter(visible).collect()));
    }
    let rest = root.get_subcommands().filter(visible);
    all.push((REST, rest.filter(|command| !is_grouped(command)).collect()));
    all.retain(|(_, commands)| !commands.is_empty());
    all
}

fn is_grouped(command: &Command) -> bool {
    let name = command.get_name();
    GROUPS.iter().any(|(_, names)| names.contains(&name))
}

/// Commands that no group names.
#[cfg(test)]
pub(super) fn ungrouped(root: &Command) -> Vec<String> {
    let all = root.get_subcommands();
    let rest = all.filter(|command| !is_grouped(command));
    rest.map(|command| command.get_name().to_string()).collect()
}

/// The help of coldtrail itself, with its commands in groups. clap heads all commands of a help with one heading.
fn template(root: &Command, styles: &Styles, width: usize) -> String {
    let head = styles.get_header();
    let literal = styles.get_literal();
    let groups = groups(root);
    let names = groups.iter().flat_map(|(_, commands)| commands);
    let longest = names.map(|command| command.get_name().len()).max();
    let indent = longest.unwrap_or_default() + 4;
    let mut text = String::from("{before-help}{about-with-newline}\n{usage-heading} {usage}\n\n");
    for (heading, commands) in &groups {
        text.push_str(&format!("{head}{heading}:{head:#}\n"));
        for command in commands {
            let name = command.get_name();
            let gap = " ".repeat(indent - 2 - name.len());
            let about = command
                .get_about()
                .map_or_else(String::new, ToString::to_string);
            // A brace would begin a tag of the template.
            let about = about.replace(['{', '}'], "");
            let lines = wrapped(&about, width.saturating_sub(indent));
            let lines = lines.join(&format!("\n{}", " ".repeat(indent)));
            text.push_str(&format!("  {literal}{name}{literal:#}{gap}{lines}\n"));
        }
        text.push('\n');
    }
    text.push_str(&format!(
        "{head}Options:{head:#}\n{{options}}{{after-help}}"
    ));
    text
}

/// A text in lines of at most this width; a longer word has a line of its own.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_no_wider_than_they_may_be() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a-long-word b", 4), ["a-long-word", "b"]);
        assert!(wrapped("", 4).is_empty());
    }

    #[test]
    fn commands_of_no_group_are_shown_all_the_same() {
        let root = Command::new("x")
            .subcommand(Command::new("hunt"))
            .subcommand(Command::new("new"));
        let headings: Vec<&str> = groups(&root).iter().map(|(heading, _)| *heading).collect();
        assert_eq!(headings, ["Detect", REST]);
    }
}
