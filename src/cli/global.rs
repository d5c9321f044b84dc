//! Options that every command takes, and how long a question may take.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::machine::{self, LEAST_MEMORY};
use super::voice::LogFormat;
use super::when::Window;
use crate::engine;
use crate::fault::Error;

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// On stderr, say only what went wrong; the answer on stdout stays
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Say more
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub(super) verbose: bool,
    /// No colours (also NO_COLOR)
    #[arg(long, global = true)]
    pub(super) no_color: bool,
    /// How lines on stderr are written: text; or json, an object a line with time, level, command and message, of progress and mistakes too.
    /// The last line then says how the command ended: status, exit code, seconds and what was counted; --quiet leaves it
    #[arg(long, global = true, value_name = "FORMAT")]
    pub(super) log_format: Option<LogFormat>,
    /// Threads to use; all cores when not given
    #[arg(long, global = true, value_name = "N", value_parser = threads)]
    pub(super) threads: Option<usize>,
    /// Memory for queries, such as 512MiB or 4GB, at least 16MiB; large sorts and groups use the disk beyond it. When not given, 60 % of what
    /// the machine, or the container, has
    #[arg(long, global = true, value_name = "SIZE", value_parser = memory)]
    memory_limit: Option<usize>,
    /// Folder for what queries put on the disk, and for exports of object storage while they are read; that of TMPDIR when not given
    #[arg(long, global = true, value_name = "DIR")]
    temp_dir: Option<PathBuf>,
}

/// How long a question may take.
#[derive(Debug, Args)]
pub(super) struct Patience {
    /// Give up after so long, such as 30s, 5m or 1h: a query ends with an error, a rule is said not to have run
    #[arg(long, value_name = "DURATION", value_parser = patience)]
    pub(super) timeout: Option<Duration>,
}

impl Global {
    pub(super) fn engine(&self, window: Option<&Window>) -> crate::fault::Result<engine::Options> {
        if let Some(window) = window {
            window.check()?;
        }
        if let Some(folder) = self.temp_dir.as_ref().filter(|folder| !folder.is_dir()) {
            return Err(Error::Usage(format!(
                "--temp-dir {}: not a folder",
                folder.display()
            )));
        }
        Ok(engine::Options {
            from: window.and_then(Window::from),
            to: window.and_then(Window::to),
            now: window.map(Window::now),
            seen: window.and_then(Window::seen),
            threads: self.threads,
            memory: Some(self.memory_limit.unwrap_or_else(machine::memory)),
            temp: self.temp_dir.clone(),
            ..engine::Options::default()
        })
    }

    /// The folder that is named for temporary files.
    pub(super) fn temporary(&self) -> Option<PathBuf> {
        self.temp_dir.clone()
    }

    /// The same error, with the folder of temporary files where it is about them.
    pub(super) fn placed(&self, error: Error) -> Error {
        match error {
            Error::Temporary {
                reason,
                folder: None,
            } => {
                let named = self.temp_dir.clone();
                Error::Temporary {
                    reason,
                    folder: Some(named.unwrap_or_else(std::env::temp_dir)),
                }
            }
            error => error,
        }
    }
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

pub(super) fn patience(text: &str) -> Result<Duration, String> {
    match crate::rules::seconds(text) {
        Some(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds)),
        _ => Err("not a duration such as 30s, 5m or 1h".into()),
    }
}

fn memory(text: &str) -> Result<usize, String> {
    match size(text)? {
        bytes if bytes < LEAST_MEMORY => {
            Err("too little to answer anything; at least 16MiB".into())
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        assert_eq!(size("512MiB"), Ok(512 << 20));
        assert_eq!(size("4GB"), Ok(4_000_000_000));
        assert!(size("lots").is_err());
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
}
