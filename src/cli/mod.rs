//! The command line: the only place that knows clap, the terminal, the environment and exit codes.
//!
//! One command, one file, one `Args` whose doc comment is the help.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{ArgMatches, ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand};

mod alerts;
mod analyze;
mod answer;
mod archive;
mod ask;
mod bar;
mod cell;
mod cluster;
mod completions;
mod cost;
mod drawn;
mod examples;
mod exit;
mod export;
mod gaps;
mod global;
mod help;
mod hunt;
mod hunted;
mod indicators;
mod ingest;
mod kql;
mod labels;
mod layout;
mod machine;
mod notify;
mod offered;
mod outcome;
mod pipe;
mod raised;
mod remarks;
mod replay;
mod report;
mod rows;
mod rules;
mod run;
mod set;
mod shell;
mod sql;
mod summary;
mod tables;
mod timeline;
mod ui;
mod verify;
mod voice;
mod waiting;
mod when;
mod worker;
mod zone;

pub use exit::Exit;

use global::Global;
use outcome::Ending;
use ui::Ui;
use voice::{Fields, Level, LogFormat, Voice};

/// Turns exported Microsoft 365 audit logs into a Parquet archive and reproduces detections on it, offline.
#[derive(Debug, Parser)]
#[command(name = "coldtrail", version, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Analyze(analyze::Args),
    Ingest(ingest::Args),
    Tables(tables::Args),
    Gaps(gaps::Args),
    Verify(verify::Args),
    Archive(archive::Args),
    Cost(cost::Args),
    Export(export::Args),
    Sql(sql::Args),
    Kql(kql::Args),
    Ask(ask::Args),
    Shell(shell::Args),
    Labels(labels::Args),
    Hunt(hunt::Args),
    Indicators(indicators::Args),
    Alerts(alerts::Args),
    Notify(notify::Args),
    Report(report::Args),
    Run(run::Args),
    Rules(rules::Args),
    Timeline(timeline::Args),
    Worker(worker::Args),
    Completions(completions::Args),
}

/// Runs the command line, on a stack that takes whatever a query nests.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let deep = std::thread::Builder::new()
        .name("main".into())
        .stack_size(crate::engine::STACK);
    std::thread::scope(|scope| {
        let main = deep.spawn_scoped(scope, || command(&arguments));
        match main.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(exit)) => exit,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(e) => {
                let text = format!("cannot start a thread: {e}");
                early(&arguments).say(Level::Error, &text, Fields::new());
                Exit::Io.into()
            }
        }
    })
}

/// The table of commands that is parsed, shown and written about.
fn table() -> clap::Command {
    help::complete(Cli::command())
}

fn command(arguments: &[OsString]) -> ExitCode {
    // What clap says before the options are read is plain too.
    let color = match arguments.iter().any(|argument| argument == "--no-color") {
        true => ColorChoice::Never,
        false => ColorChoice::Auto,
    };
    let parsed = table().color(color).try_get_matches_from(arguments);
    let parsed = parsed.and_then(|mut found| {
        let name = named(&found);
        Ok((Cli::from_arg_matches_mut(&mut found)?, name))
    });
    let (cli, name) = match parsed {
        Ok(parsed) => parsed,
        Err(e) => return refused(&e, arguments),
    };
    crate::storage::configure(machine::storage(cli.global.temporary()));
    let ui = Ui::new(&cli.global, &name);
    ui.voice().take_panics();
    let ending = Ending::begin(&ui, &name);
    if let Some(threads) = cli.global.threads {
        // Only the first call sets it, and this is the first.
        if let Err(e) = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build_global()
        {
            ui.warn(&format!("--threads: {e}"));
        }
    }
    let exit = match dispatch(cli.command, &cli.global, &ui) {
        Ok(exit) => exit,
        Err(e) if ui::is_broken_pipe(&e) => Exit::Done,
        Err(e) => {
            let e = cli.global.placed(e);
            ui.error(&e);
            Exit::of(&e)
        }
    };
    ending.over(exit);
    exit.into()
}

/// Runs one command.
fn dispatch(command: Command, global: &Global, ui: &Ui) -> crate::fault::Result<Exit> {
    match command {
        Command::Analyze(args) => analyze::run(&args, global, ui),
        Command::Ingest(args) => ingest::run(&args, ui),
        Command::Tables(args) => tables::run(&args, global, ui),
        Command::Gaps(args) => gaps::run(&args, global, ui),
        Command::Verify(args) => verify::run(&args, ui),
        Command::Archive(args) => archive::run(&args, ui),
        Command::Cost(args) => cost::run(&args, global, ui),
        Command::Export(args) => export::run(&args, global, ui),
        Command::Sql(args) => sql::run(&args, global, ui),
        Command::Kql(args) => kql::run(&args, global, ui),
        Command::Ask(args) => ask::run(&args, global, ui),
        Command::Shell(args) => shell::run(&args, global, ui),
        Command::Labels(args) => labels::run(&args, global, ui),
        Command::Hunt(args) => hunt::run(&args, global, ui),
        Command::Indicators(args) => indicators::run(&args, global, ui),
        Command::Alerts(args) => alerts::run(&args, global, ui),
        Command::Notify(args) => notify::run(&args, global, ui),
        Command::Report(args) => report::run(&args, global, ui),
        Command::Run(args) => run::run(&args, global, ui),
        Command::Rules(args) => rules::run(&args, global, ui),
        Command::Timeline(args) => timeline::run(&args, global, ui),
        Command::Worker(args) => worker::run(&args, global, ui),
        Command::Completions(args) => completions::run(&args, &table(), ui),
    }
}

/// The words of a command as they are typed, such as `archive compact`.
fn named(found: &ArgMatches) -> String {
    let mut words = Vec::new();
    let mut at = found;
    while let Some((name, below)) = at.subcommand() {
        words.push(name);
        at = below;
    }
    words.join(" ")
}

/// The same of arguments that cannot be understood.
fn guessed(arguments: &[OsString]) -> String {
    let table = table();
    let mut words = vec![table.get_name()];
    let mut at = &table;
    for argument in arguments.iter().skip(1) {
        if let Some(below) = at.find_subcommand(argument) {
            words.push(below.get_name());
            at = below;
        }
    }
    // The name of the program says nothing beside one of a command.
    match words.as_slice() {
        [_, below @ ..] if !below.is_empty() => below.join(" "),
        words => words.join(" "),
    }
}

/// What writes lines before the arguments are understood.
fn early(arguments: &[OsString]) -> Voice {
    match LogFormat::asked(arguments) {
        LogFormat::Text => Voice::Text { color: false },
        LogFormat::Json => Voice::json(&guessed(arguments)),
    }
}

/// Shows what clap says in place of a run.
fn refused(said: &clap::Error, arguments: &[OsString]) -> ExitCode {
    // Help and version are answers, everything else is a mistake; clap knows which stream each belongs to.
    let exit = match said.use_stderr() {
        true => Exit::Usage,
        false => Exit::Done,
    };
    let voice = early(arguments);
    if said.use_stderr() && voice.is_json() {
        let text = said.render().to_string();
        let text = text.trim();
        let text = text.strip_prefix("error: ").unwrap_or(text);
        voice.say(Level::Error, text, Fields::new());
        let ui = Ui::of(voice);
        Ending::begin(&ui, &guessed(arguments)).over(exit);
        return exit.into();
    }
    match said.print() {
        Ok(()) => exit.into(),
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => exit.into(),
        Err(_) => Exit::Io.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        table().debug_assert();
    }

    /// Names of the commands that do something by themselves, as they are typed.
    fn leaves(command: &clap::Command, above: &str) -> Vec<String> {
        let below = command.get_subcommands();
        let named = below.map(|sub| (format!("{above} {}", sub.get_name()), sub));
        named
            .flat_map(|(name, sub)| match sub.has_subcommands() {
                true => leaves(sub, &name),
                false => vec![name.trim_start().to_string()],
            })
            .collect()
    }

    #[test]
    fn every_command_has_two_examples() {
        for name in leaves(&table(), "") {
            assert!(examples::of(&name).len() >= 2, "{name}");
        }
    }

    #[test]
    fn every_example_is_of_its_command() {
        let known = leaves(&table(), "");
        for (name, examples) in examples::EXAMPLES {
            assert!(name.is_empty() || known.iter().any(|k| k == name), "{name}");
            let begins = format!("coldtrail {name}");
            for example in *examples {
                assert!(example.line.contains(begins.trim_end()), "{}", example.line);
            }
        }
    }

    /// Parses a value with the parser of each argument that offers it.
    fn refused_offers(command: &clap::Command) -> Vec<String> {
        let mut wrong = Vec::new();
        for arg in command.get_arguments() {
            let alone = clap::Arg::new("it")
                .long("it")
                .num_args(1)
                .value_parser(arg.get_value_parser().clone());
            let alone = clap::Command::new("x").arg(alone);
            for value in arg.get_possible_values() {
                let typed = ["x", "--it", value.get_name()];
                if alone.clone().try_get_matches_from(typed).is_err() {
                    wrong.push(format!("{} {}", arg.get_id(), value.get_name()));
                }
            }
        }
        wrong.extend(command.get_subcommands().flat_map(refused_offers));
        wrong
    }

    #[test]
    fn what_completions_offer_is_taken() {
        let mut table = table();
        table.build();
        assert_eq!(refused_offers(&table), Vec::<String>::new());
        let run = table.find_subcommand("run").expect("a command");
        let only = run.get_arguments().find(|arg| arg.get_id() == "only");
        assert_eq!(only.map(|arg| arg.get_possible_values().len()), Some(7));
    }

    #[test]
    fn every_command_is_in_a_group() {
        assert_eq!(help::ungrouped(&table()), Vec::<String>::new());
    }
}
