//! Lines on stderr: text for people, or an object of JSON a line for machines.

use std::ffi::OsString;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use clap::ValueEnum;
use serde_json::{Map, Value};

use super::drawn;
use super::when::{now, time_text};
use crate::engine::output::harmless;

/// How lines on stderr are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    Text,
    Json,
}

impl LogFormat {
    /// What these arguments ask for, before they are understood: what is said of arguments that are wrong is written so too.
    pub(super) fn asked(arguments: &[OsString]) -> LogFormat {
        let is_asked = |(at, argument): (usize, &OsString)| {
            let next = arguments.get(at + 1);
            argument == "--log-format=json"
                || argument == "--log-format" && next.is_some_and(|next| next == "json")
        };
        match arguments.iter().enumerate().any(is_asked) {
            true => LogFormat::Json,
            false => LogFormat::Text,
        }
    }
}

/// What kind of line it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Info,
    Warning,
    Error,
    Hint,
    Progress,
    Outcome,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
            Level::Hint => "hint",
            Level::Progress => "progress",
            Level::Outcome => "outcome",
        }
    }

    /// The colour of its name, where a text begins with it.
    fn color(self) -> Option<&'static str> {
        match self {
            Level::Warning => Some("33;1"),
            Level::Error => Some("31;1"),
            Level::Hint => Some("36;1"),
            Level::Info | Level::Progress | Level::Outcome => None,
        }
    }
}

/// Fields of a line that only machines read.
pub(super) type Fields = Map<String, Value>;

/// The step of a run that is under way. All who write lines of the run know it, those in other threads too.
#[derive(Debug, Clone, Default)]
pub(super) struct UnderWay(Arc<Mutex<Option<&'static str>>>);

impl UnderWay {
    fn set(&self, step: Option<&'static str>) {
        *self.0.lock().expect("no panic while it is held") = step;
    }

    fn get(&self) -> Option<&'static str> {
        *self.0.lock().expect("no panic while it is held")
    }
}

/// Writes lines to stderr. Knows nothing of what is quiet.
#[derive(Debug, Clone)]
pub(super) enum Voice {
    /// For people.
    Text { color: bool },
    /// For machines: an object a line, and nothing else.
    Json { command: Arc<str>, step: UnderWay },
}

impl Voice {
    /// Whether machines read it.
    pub(super) fn is_json(&self) -> bool {
        matches!(self, Voice::Json { .. })
    }

    /// That of a command for machines.
    pub(super) fn json(command: &str) -> Voice {
        Voice::Json {
            command: command.into(),
            step: UnderWay::default(),
        }
    }

    /// Lines from now on are of this step of the command, or of none.
    pub(super) fn is_at(&self, step: Option<&'static str>) {
        if let Voice::Json { step: known, .. } = self {
            known.set(step);
        }
    }

    /// Says it. The message is safe to show; it may have several lines.
    pub(super) fn say(&self, level: Level, message: &str, fields: Fields) {
        match self {
            Voice::Text { color } => tell_stderr(&text(level, message, *color)),
            Voice::Json { command, step } => {
                let place = (&**command, step.get());
                tell_stderr(&object(level, place, message, fields));
            }
        }
    }

    /// Writes what a panic says as a line of its own kind, where machines read.
    pub(super) fn take_panics(&self) {
        if !self.is_json() {
            return;
        }
        let voice = self.clone();
        std::panic::set_hook(Box::new(move |panic| {
            voice.say(Level::Error, &panic.to_string(), Fields::new());
        }));
    }
}

fn text(level: Level, message: &str, color: bool) -> String {
    let name = level.name();
    match level.color() {
        None => message.to_string(),
        Some(code) if color => format!("\u{1b}[{code}m{name}\u{1b}[0m: {message}"),
        Some(_) => format!("{name}: {message}"),
    }
}

fn object(
    level: Level,
    (command, step): (&str, Option<&str>),
    message: &str,
    fields: Fields,
) -> String {
    let mut line = Fields::new();
    line.insert("time".into(), time_text(now()).into());
    line.insert("level".into(), level.name().into());
    line.insert("command".into(), command.into());
    if let Some(step) = step {
        line.insert("step".into(), step.into());
    }
    line.extend(fields);
    line.insert("message".into(), message.trim().into());
    harmless(&Value::Object(line).to_string())
}

/// Writes a line to stderr. Where nobody reads it any more, the exit code still says how the run ended.
fn tell_stderr(line: &str) {
    // In one piece: two runs may write to the same file.
    drawn::beside(|| {
        let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
    });
}

/// Seconds as machines get them: to the thousandth.
pub(super) fn seconds(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_json_is_one_line_whatever_it_says() {
        let mut fields = Fields::new();
        fields.insert("rows".into(), 3.into());
        let line = object(
            Level::Warning,
            ("archive compact", Some("merge")),
            "\na \"b\"\nc\u{1b}[1m\u{202e}",
            fields,
        );
        assert!(line.is_ascii() && !line.contains('\n'), "{line}");
        let value: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(value["level"], "warning");
        assert_eq!(value["command"], "archive compact");
        assert_eq!(value["step"], "merge");
        assert_eq!(value["rows"], 3);
        assert_eq!(value["message"], "a \"b\"\nc\u{1b}[1m\u{202e}");
        assert!(value["time"].as_str().is_some_and(|t| t.ends_with('Z')));
    }

    #[test]
    fn the_format_is_known_before_the_arguments_are() {
        let asked = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            LogFormat::asked(&words)
        };
        assert_eq!(asked("coldtrail sql --log-format json"), LogFormat::Json);
        assert_eq!(asked("coldtrail --log-format=json x"), LogFormat::Json);
        assert_eq!(asked("coldtrail --log-format text"), LogFormat::Text);
        assert_eq!(asked("coldtrail json --log-format"), LogFormat::Text);
    }

    #[test]
    fn a_text_begins_with_its_kind_where_that_matters() {
        assert_eq!(text(Level::Info, "3 rows", true), "3 rows");
        assert_eq!(text(Level::Hint, "try", false), "hint: try");
        assert_eq!(
            text(Level::Error, "no", true),
            "\u{1b}[31;1merror\u{1b}[0m: no"
        );
    }
}
