//! The command line: the only place that knows clap, the terminal, the environment and exit codes.
//!
//! One command, one file, one `Args` whose doc comment is the help.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::error::Error;
use crate::rules::Severity;

mod analyze;
mod archive;
mod gaps;
mod hunt;
mod ingest;
mod kql;
mod rules;
mod sql;
mod tables;
mod ui;
mod verify;

use ui::Ui;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Findings at or above `--fail-on`, or `verify` found problems.
    Findings = 1,
    /// Wrong usage, or a rule or query is wrong.
    Usage = 2,
    /// A file could not be read or written, or the configuration is wrong.
    Io = 3,
    /// Finished, but inputs or rules failed or records are in quarantine.
    Incomplete = 10,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

impl Exit {
    /// The code of an error.
    pub fn of(error: &Error) -> Exit {
        match error {
            Error::Query(_) | Error::NoColumn { .. } | Error::NoTable { .. } | Error::Usage(_) => {
                Exit::Usage
            }
            _ => Exit::Io,
        }
    }

    /// The worse of two: an error of its own kind outweighs findings, findings outweigh gaps.
    fn and(self, other: Exit) -> Exit {
        let weight = |e: Exit| match e {
            Exit::Done => 0,
            Exit::Incomplete => 1,
            Exit::Findings => 2,
            Exit::Usage => 3,
            Exit::Io => 4,
        };
        if weight(other) > weight(self) {
            other
        } else {
            self
        }
    }
}

/// Turns exported Microsoft 365 audit logs into a Parquet archive and reproduces detections on it, offline.
#[derive(Debug, Parser)]
#[command(
    name = "coldtrail",
    version,
    disable_help_subcommand = true,
    after_help = "Exit codes: 0 done · 1 findings at or above --fail-on, or verify found problems · 2 wrong usage, a rule or query error · \
                  3 I/O or configuration · 10 finished, but inputs or rules failed or records are in quarantine"
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// Say only what went wrong
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Say more
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    verbose: bool,
    /// No colours (also NO_COLOR)
    #[arg(long, global = true)]
    no_color: bool,
    /// Threads to use; all cores when not given
    #[arg(long, global = true, value_name = "N")]
    threads: Option<usize>,
    /// Memory for queries, such as 512MiB or 4GB; large sorts and groups use the disk beyond it
    #[arg(long, global = true, value_name = "SIZE", value_parser = size)]
    memory_limit: Option<usize>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Analyze(analyze::Args),
    Ingest(ingest::Args),
    Tables(tables::Args),
    Gaps(gaps::Args),
    Verify(verify::Args),
    Archive(archive::Args),
    Sql(sql::Args),
    Kql(kql::Args),
    Hunt(hunt::Args),
    Rules(rules::Args),
}

/// Runs the command line.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(e) => {
            // Help and version are answers, everything else is a mistake; clap knows which stream each belongs to.
            let exit = if e.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            };
            return match e.print() {
                Ok(()) => exit.into(),
                Err(_) => Exit::Io.into(),
            };
        }
    };
    let ui = Ui::new(&cli.global);
    if let Some(threads) = cli.global.threads {
        // Only the first call sets it, and this is the first.
        if let Err(e) = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.max(1))
            .build_global()
        {
            ui.warn(&format!("--threads: {e}"));
        }
    }
    let global = &cli.global;
    let result = match cli.command {
        Command::Analyze(args) => analyze::run(&args, global, &ui),
        Command::Ingest(args) => ingest::run(&args, &ui),
        Command::Tables(args) => tables::run(&args, global, &ui),
        Command::Gaps(args) => gaps::run(&args, global, &ui),
        Command::Verify(args) => verify::run(&args, &ui),
        Command::Archive(args) => archive::run(&args, &ui),
        Command::Sql(args) => sql::run(&args, global, &ui),
        Command::Kql(args) => kql::run(&args, global, &ui),
        Command::Hunt(args) => hunt::run(&args, global, &ui),
        Command::Rules(args) => rules::run(&args, &ui),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(e) if ui::is_broken_pipe(&e) => Exit::Done.into(),
        Err(e) => {
            ui.error(&e);
            Exit::of(&e).into()
        }
    }
}

/// A time range.
#[derive(Debug, Args)]
struct Window {
    /// Only events at or after this time (UTC), such as 2026-05-01 or 2026-05-01T08:00
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<i64>,
    /// Only events before this time (UTC)
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<i64>,
}

impl Global {
    fn engine(&self, window: Option<&Window>) -> crate::error::Result<crate::engine::Options> {
        if let Some(w) = window
            && let (Some(from), Some(to)) = (w.from, w.to)
            && from >= to
        {
            return Err(Error::Usage(
                "--from is not before --to: nothing lies between".into(),
            ));
        }
        Ok(crate::engine::Options {
            from: window.and_then(|w| w.from),
            to: window.and_then(|w| w.to),
            threads: self.threads,
            memory: self.memory_limit,
            files: Vec::new(),
        })
    }
}

fn time(text: &str) -> Result<i64, String> {
    let padded = match text.len() {
        10 => format!("{text}T00:00:00"),
        16 => format!("{text}:00"),
        _ => text.to_string(),
    };
    crate::ingest::time::iso(padded.as_bytes())
        .ok_or_else(|| "not a time such as 2026-05-01 or 2026-05-01T08:00:00Z".into())
}

fn size(text: &str) -> Result<usize, String> {
    let wrong = || "not a size such as 512MiB or 4GB".to_string();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let number: usize = text[..digits].parse().map_err(|_| wrong())?;
    let unit: usize = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "kb" => 1000,
        "m" | "mib" => 1 << 20,
        "mb" => 1_000_000,
        "g" | "gib" => 1 << 30,
        "gb" => 1_000_000_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit).ok_or_else(wrong)
}

fn severity(text: &str) -> Result<Severity, String> {
    Severity::ALL
        .into_iter()
        .find(|s| {
            s.name().eq_ignore_ascii_case(text)
                || (s.name() == "Informational" && text.eq_ignore_ascii_case("info"))
        })
        .ok_or_else(|| "one of informational, low, medium, high".into())
}

/// This moment, in microseconds.
fn now() -> i64 {
    chrono::Utc::now().timestamp_micros()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_and_times_are_read() {
        assert_eq!(size("512MiB"), Ok(512 << 20));
        assert_eq!(size("4GB"), Ok(4_000_000_000));
        assert!(size("lots").is_err());
        assert_eq!(time("1970-01-02"), Ok(86_400_000_000));
        assert_eq!(time("1970-01-01T01:00"), Ok(3_600_000_000));
        assert!(time("yesterday").is_err());
    }

    #[test]
    fn exit_codes_are_those_of_the_help() {
        assert_eq!(Exit::of(&Error::Query(String::new())) as u8, 2);
        assert_eq!(Exit::of(&Error::NoInput(String::new())) as u8, 3);
        assert_eq!(Exit::Incomplete.and(Exit::Findings) as u8, 1);
        assert_eq!(Exit::Done.and(Exit::Incomplete) as u8, 10);
        let help = Cli::command().render_help().to_string().replace("\n", " ");
        for said in [
            "0 done",
            "1 findings",
            "2 wrong usage",
            "3 I/O",
            "10 finished",
        ] {
            assert!(help.contains(said), "{said}");
        }
    }
}
