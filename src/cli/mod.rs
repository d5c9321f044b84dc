//! The command line: the only place that knows clap, the terminal, the environment and exit codes.
//!
//! One command, one file, one `Args` whose doc comment is the help.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::OnceLock;

use clap::{Args, Parser, Subcommand};

use crate::error::Error;
use crate::rules::Severity;

mod analyze;
mod answer;
mod archive;
mod exit;
mod gaps;
mod hunt;
mod ingest;
mod kql;
mod layout;
mod rules;
mod sql;
mod tables;
mod ui;
mod verify;
mod zone;

pub use exit::Exit;

use ui::Ui;

/// Turns exported Microsoft 365 audit logs into a Parquet archive and reproduces detections on it, offline.
#[derive(Debug, Parser)]
#[command(
    name = "coldtrail",
    version,
    disable_help_subcommand = true,
    after_help = exit::HELP
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
    #[arg(long, global = true, value_name = "N", value_parser = threads)]
    threads: Option<usize>,
    /// Memory for queries, such as 512MiB or 4GB, at least 16MiB; large sorts and groups use the disk beyond it
    #[arg(long, global = true, value_name = "SIZE", value_parser = memory)]
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
            .num_threads(threads)
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
    /// Only events of so long before --at, or before this moment: 90m, 24h, 7d, 2w
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with = "from")]
    since: Option<i64>,
    /// What now() says, such as 2026-05-21 or 2026-05-21T08:00; nothing that came after it is seen. This moment when not given
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<i64>,
}

impl Window {
    /// What `now()` says, in microseconds; the same throughout a run.
    fn now(&self) -> i64 {
        static MOMENT: OnceLock<i64> = OnceLock::new();
        self.at.unwrap_or_else(|| *MOMENT.get_or_init(now))
    }

    /// The first time that is asked for.
    fn from(&self) -> Option<i64> {
        let since = self.since.map(|long| self.now().saturating_sub(long));
        self.from.or(since)
    }

    /// What is asked for lies before this time.
    fn to(&self) -> Option<i64> {
        match (self.to, self.seen()) {
            (Some(to), Some(seen)) => Some(to.min(seen)),
            (to, seen) => to.or(seen),
        }
    }

    /// What can be seen at all lies before this time.
    fn seen(&self) -> Option<i64> {
        // What happens at the moment itself is seen.
        self.at.map(|at| at.saturating_add(1))
    }

    fn check(&self) -> crate::error::Result<()> {
        match (self.from(), self.to()) {
            (Some(from), Some(to)) if from >= to => Err(Error::Usage(match (self.from, self.to) {
                (Some(_), Some(to)) if from >= to => {
                    "--from is not before --to: nothing lies between".into()
                }
                _ => format!(
                    "nothing lies between {} and {}, the time that is asked for",
                    ui::time_text(from),
                    ui::time_text(to)
                ),
            })),
            _ => Ok(()),
        }
    }
}

impl Global {
    fn engine(&self, window: Option<&Window>) -> crate::error::Result<crate::engine::Options> {
        if let Some(window) = window {
            window.check()?;
        }
        Ok(crate::engine::Options {
            from: window.and_then(Window::from),
            to: window.and_then(Window::to),
            now: window.map(Window::now),
            seen: window.and_then(Window::seen),
            threads: self.threads,
            memory: self.memory_limit,
            ..crate::engine::Options::default()
        })
    }
}

fn time(text: &str) -> Result<i64, String> {
    let padded = match text.len() {
        10 => format!("{text}T00:00:00"),
        16 => format!("{text}:00"),
        _ => text.to_string(),
    };
    crate::ingest::time::iso(padded.as_bytes()).ok_or_else(|| match crate::rules::seconds(text) {
        Some(_) => {
            "not a time such as 2026-05-01 or 2026-05-01T08:00:00Z; --since takes durations".into()
        }
        None => "not a time such as 2026-05-01 or 2026-05-01T08:00:00Z".into(),
    })
}

/// Microseconds of a duration.
fn duration(text: &str) -> Result<i64, String> {
    crate::rules::seconds(text)
        .filter(|seconds| *seconds > 0)
        .and_then(|seconds| i64::try_from(seconds).ok()?.checked_mul(1_000_000))
        .ok_or_else(|| "not a duration such as 90m, 24h, 7d or 2w".into())
}

fn threads(text: &str) -> Result<usize, String> {
    /// More than any machine has, and fewer than bring one down.
    const MOST: usize = 1024;
    match text.parse::<usize>() {
        Ok(threads) if (1..=MOST).contains(&threads) => Ok(threads),
        Ok(_) => Err(format!("between 1 and {MOST}")),
        Err(_) => Err("not a number of threads such as 4".into()),
    }
}

fn memory(text: &str) -> Result<usize, String> {
    /// With less even small sorts fail.
    const LEAST: usize = 16 << 20;
    match size(text)? {
        bytes if bytes < LEAST => Err("too little to answer anything; at least 16MiB".into()),
        bytes => Ok(bytes),
    }
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
        assert!(time("24h").is_err_and(|why| why.contains("--since")));
        assert_eq!(duration("90m"), Ok(5_400_000_000));
        assert_eq!(duration("2w"), duration("14d"));
        for wrong in ["", "0h", "24", "1y", "-1h", "99999999999999999999d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_no_machine_can_work_with_is_refused() {
        assert_eq!(threads("2"), Ok(2));
        for wrong in ["0", "x", "-1", "1000000"] {
            assert!(threads(wrong).is_err(), "{wrong}");
        }
        assert_eq!(memory("16MiB"), Ok(16 << 20));
        for wrong in ["10", "0", "1MB", "15MiB", "much"] {
            assert!(memory(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_window_ends_where_nothing_more_is_seen() {
        let window = |from, to, since, at| Window {
            from,
            to,
            since,
            at,
        };
        let seen = window(None, Some(20), None, Some(10));
        assert_eq!((seen.from(), seen.to(), seen.now()), (None, Some(11), 10));
        let back = window(None, Some(9), Some(4), Some(10));
        assert_eq!((back.from(), back.to()), (Some(6), Some(9)));
        assert!(back.check().is_ok());
        assert!(window(Some(10), None, None, Some(9)).check().is_err());
        assert!(window(Some(10), None, None, Some(10)).check().is_ok());
        assert!(window(None, Some(6), Some(4), Some(10)).check().is_err());
        let open = window(None, None, None, None);
        assert_eq!((open.from(), open.to()), (None, None));
        assert_eq!(open.now(), window(None, None, Some(1), None).now());
    }
}
