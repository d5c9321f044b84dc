use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::answer::into_file;
use super::examples::{self, Example};
use super::exit::{self, Exit};
use super::raised::refuse_existing;
use super::ui::{Ui, answer, counted};
use crate::fault::{Error, Result};

mod script;

/// Write completions for a shell, or man pages
///
/// bash: `coldtrail completions bash -o ~/.local/share/bash-completion/completions/coldtrail`. zsh: into a file `_coldtrail` in a folder of
/// $fpath. fish: into ~/.config/fish/completions/coldtrail.fish. PowerShell: into a file `coldtrail.ps1`, and a line in $PROFILE that reads
/// it, `. C:\coldtrail\coldtrail.ps1` (not into $PROFILE itself: its `using` may stand in the beginning of a file alone). elvish: into a file
/// that rc.elv reads with `eval (slurp < FILE)`.
///
/// man: a page for each command into the folder of -o, such as ~/.local/share/man/man1; `man coldtrail-hunt` shows one.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// bash, zsh, fish, powershell or elvish; or man
    #[arg(value_name = "SHELL", value_parser = ["bash", "zsh", "fish", "powershell", "elvish", "man"])]
    of: String,
    /// Write to a file; with man, the folder for the pages
    #[arg(short, long, value_name = "FILE", required_if_eq("of", "man"))]
    output: Option<PathBuf>,
    /// Replace files that exist
    #[arg(short = 'C', long)]
    clobber: bool,
}

/// Writes what is made of this table of commands.
pub(super) fn run(args: &Args, table: &Command, ui: &Ui) -> Result<Exit> {
    if let (None, Some(folder)) = (shell(&args.of), &args.output) {
        let pages = pages(table)?;
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        for (name, _) in &pages {
            refuse_existing(&folder.join(name), args.clobber)?;
        }
        for (name, page) in &pages {
            bytes_into_file(&folder.join(name), page)?;
        }
        let many = counted(pages.len() as u64, "page");
        ui.say(&format!("{many} in {}", folder.display()));
        return Ok(Exit::Done);
    }
    let script = shell(&args.of).map_or_else(String::new, |shell| script::of(shell, table));
    match &args.output {
        Some(path) => {
            refuse_existing(path, args.clobber)?;
            bytes_into_file(path, script.as_bytes())?;
        }
        None => answer(&script)?,
    }
    Ok(Exit::Done)
}

/// The shell of this name; none for man pages.
fn shell(name: &str) -> Option<Shell> {
    Some(match name {
        "bash" => Shell::Bash,
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        "powershell" => Shell::PowerShell,
        "elvish" => Shell::Elvish,
        _ => return None,
    })
}

fn bytes_into_file(path: &Path, bytes: &[u8]) -> Result<()> {
    into_file(path, |mut out| {
        out.write_all(bytes)
            .and_then(|()| out.flush())
            .map_err(Error::io("write", path))
    })
}

/// A page for each command, with the name of its file.
fn pages(table: &Command) -> Result<Vec<(String, Vec<u8>)>> {
    let mut root = table.clone();
    root.build();
    let mut pages = Vec::new();
    gather(&root, "", &mut pages)?;
    Ok(pages)
}

fn gather(command: &Command, named: &str, pages: &mut Vec<(String, Vec<u8>)>) -> Result<()> {
    pages.push(page(command, named)?);
    for below in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        let name = match named {
            "" => below.get_name().to_string(),
            named => format!("{named} {}", below.get_name()),
        };
        gather(below, &name, pages)?;
    }
    Ok(())
}

/// The page of a command that is called so below coldtrail. Options of every command stand in coldtrail's own page alone.
fn page(command: &Command, named: &str) -> Result<(String, Vec<u8>)> {
    let version = concat!("coldtrail ", env!("CARGO_PKG_VERSION"));
    let is_below = !named.is_empty();
    let shown = command.clone().mut_args(|arg| {
        let is_elsewhere = is_below && arg.is_global_set();
        match is_elsewhere {
            true => arg.hide(true),
            false => arg,
        }
    });
    let man = Man::new(shown).source(version).manual("coldtrail");
    let name = man.get_filename();
    let mut text = Vec::new();
    render(&man, command, named, &mut text).map_err(Error::io("make", &name))?;
    Ok((name, text))
}

fn render(man: &Man, command: &Command, named: &str, out: &mut Vec<u8>) -> io::Result<()> {
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    if !named.is_empty() {
        elsewhere().to_writer(out)?;
    }
    if command.has_subcommands() {
        man.render_subcommands_section(out)?;
    }
    ending(examples::of(named)).to_writer(out)
}

/// Where the options of every command stand.
fn elsewhere() -> Roff {
    let mut page = Roff::new();
    page.control("SH", ["GLOBAL OPTIONS"]);
    page.text([
        roman("And the options of "),
        bold("coldtrail"),
        roman("(1), such as "),
        bold("--quiet"),
        roman(", "),
        bold("--threads"),
        roman(" and "),
        bold("--memory-limit"),
        roman("."),
    ]);
    page
}

/// Examples and exit codes.
fn ending(examples: &[Example]) -> Roff {
    let mut page = Roff::new();
    if !examples.is_empty() {
        page.control("SH", ["EXAMPLES"]);
    }
    for Example { line, does } in examples {
        page.control("TP", []);
        page.text([roman(*does)]);
        page.text([roman(*line)]);
    }
    page.control("SH", ["EXIT STATUS"]);
    let codes = exit::HELP.trim_start_matches("Exit codes: ");
    for code in codes.split(" · ") {
        page.control("PP", []);
        page.text([roman(code)]);
    }
    page
}
