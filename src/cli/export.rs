use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::builder::NonEmptyStringValueParser;
use rand::random;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::answer::{Shape, format_of, into_file};
use super::exit::Exit;
use super::global::{Global, Patience};
use super::ui::{Ui, counted, time_text};
use super::when::Window;
use crate::archive::Archive;
use crate::catalog::catalog;
use crate::engine::output::{self, Format, Writer, csv};
use crate::engine::{Session, Source};
use crate::fault::{Error, Result};
use crate::share::{Pseudonyms, Rows};

/// Write the events of a table to a file that can be handed on
///
/// FILE.manifest.json beside it says what it holds. With --pseudonymise names, mailboxes, sites, files, ids and addresses become tokens, also inside of
/// JSON; operations, times and labels stay.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The archive
    #[arg(short, long, value_name = "DIR", required_unless_present = "new_key")]
    archive: Option<PathBuf>,
    /// The file: .csv, .jsonl, .ndjson or .parquet
    #[arg(short, long, value_name = "FILE", required_unless_present = "new_key")]
    output: Option<PathBuf>,
    /// The table
    #[arg(long, value_name = "NAME", required_unless_present = "new_key")]
    table: Option<String>,
    /// Only events whose user has this name or id; case does not count
    #[arg(long = "user", value_name = "USER", value_parser = NonEmptyStringValueParser::new())]
    users: Vec<String>,
    /// Replace files that exist
    #[arg(short = 'C', long)]
    clobber: bool,
    /// Replace all that names somebody by tokens of the key in this file
    #[arg(long, value_name = "KEYFILE")]
    pseudonymise: Option<PathBuf>,
    /// List what each token stands for in a CSV. Who has it knows everybody: keep it where the key is
    #[arg(long, value_name = "FILE", requires = "pseudonymise")]
    mapping: Option<PathBuf>,
    /// Make a key for --pseudonymise, and nothing else
    #[arg(long, value_name = "KEYFILE", conflicts_with_all = ["archive", "output", "table", "pseudonymise"])]
    new_key: Option<PathBuf>,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    window: Window,
}

/// Columns that say who did something, or to whom it was done.
const USERS: [&str; 14] = [
    "UserId",
    "UserIds",
    "UserKey",
    "User",
    "UserPrincipalName",
    "UserDisplayName",
    "AccountId",
    "AccountObjectId",
    "AccountUpn",
    "AccountDisplayName",
    "MailboxOwnerUPN",
    "TargetUserOrGroupName",
    "InitiatedBy",
    "Identity",
];

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    if let Some(path) = &args.new_key {
        new_key(path)?;
        ui.say(&format!("a key is in `{}`", path.display()));
        return Ok(Exit::Done);
    }
    let (Some(place), Some(path), Some(name)) = (&args.archive, &args.output, &args.table) else {
        return Err(Error::Usage("-a, -o and --table are needed".into()));
    };
    let format = match format_of(path, None)? {
        Shape::Other(format @ (Format::Csv | Format::Ndjson | Format::Parquet)) => format,
        _ => {
            return Err(Error::Usage(format!(
                "-o {}: an export is .csv, .jsonl, .ndjson or .parquet",
                path.display()
            )));
        }
    };
    args.window.check()?;
    let manifest = beside(path, ".manifest.json");
    for file in [Some(path), Some(&manifest), args.mapping.as_ref()] {
        if let Some(file) = file.filter(|file| file.exists() && !args.clobber) {
            return Err(Error::Exists(file.clone()));
        }
    }
    let mut names = match &args.pseudonymise {
        Some(key) => Some(Pseudonyms::new(&key_of(key)?, args.mapping.is_some())?),
        None => None,
    };
    let archive = Archive::open_to_ask(place)?;
    let mut options = global.engine(Some(&args.window))?;
    options.timeout = args.patience.timeout;
    let session = Session::open(Source::Archive(&archive), &options)?;
    session.begin();
    let frame = session.plan(&query(&session, name, &args.users)?)?;
    let schema = output::schema(&frame);
    let (mut rows, mut replaced) = (0, None);
    into_file(path, |out| {
        let mut writer = Writer::new(format, schema, out, false)?;
        let mut hidden = names.as_mut().map(Rows::new);
        session.stream(frame, |batch| match &mut hidden {
            Some(hidden) => writer.write(&hidden.batch(batch)?),
            None => writer.write(batch),
        })?;
        rows = writer.finish()?;
        replaced = hidden.map(|hidden| hidden.columns().clone());
        Ok(())
    })?;
    let kinds = names.as_ref().map(|names| {
        let kinds = names.counts().iter();
        let kinds = kinds.map(|(kind, count)| (kind.name().to_string(), json!(count)));
        kinds.collect::<serde_json::Map<_, _>>()
    });
    // Whose events they are is not said where nobody shall be named.
    let users = match &names {
        Some(_) => json!(args.users.len()),
        None => json!(args.users),
    };
    let said = json!({
        "coldtrail": env!("CARGO_PKG_VERSION"),
        "table": name,
        "rows": rows,
        "from": args.window.from().map(time_text),
        "to": args.window.to().map(time_text),
        "users": users,
        "sha256": sha256(path)?,
        "pseudonymised": names.is_some(),
        "replaced": kinds,
        "values_replaced_by_column": replaced,
    });
    into_file(&manifest, |mut out| {
        writeln!(out, "{said:#}").map_err(Error::io("write", &manifest))?;
        out.flush().map_err(Error::io("write", &manifest))
    })?;
    if let (Some(names), Some(path)) = (&names, &args.mapping) {
        list(names, path)?;
    }
    ui.say(&format!(
        "{}; `{}` says what the file holds",
        counted(rows, "row"),
        manifest.display()
    ));
    Ok(Exit::Done)
}

/// The query for the rows of a table, in an order that does not depend on the run.
fn query(session: &Session, name: &str, users: &[String]) -> Result<String> {
    let Some(table) = catalog().get(name).filter(|table| table.by_day) else {
        return Err(Error::Usage(format!(
            "--table {name}: no table of events; `coldtrail tables` shows those of the archive"
        )));
    };
    let all = format!("SELECT * FROM \"{}\"", table.name);
    let schema = output::schema(&session.plan(&all)?);
    let has = |name: &str| schema.field_with_name(name).is_ok();
    let mut conditions = Vec::new();
    for user in users {
        let user = user.to_lowercase().replace('\'', "''");
        let columns = USERS.iter().filter(|column| has(column));
        conditions.extend(columns.map(|column| format!("lower(\"{column}\") = '{user}'")));
    }
    if conditions.is_empty() && !users.is_empty() {
        return Err(Error::Usage(format!(
            "--user: `{}` has no column of users",
            table.name
        )));
    }
    let condition = match conditions.is_empty() {
        true => String::new(),
        false => format!(" WHERE {}", conditions.join(" OR ")),
    };
    let identity = table.identity.map(|at| table.columns[at].name);
    let order = ["TimeGenerated"].into_iter().chain(identity);
    let order: Vec<String> = order
        .filter(|column| has(column))
        .map(|column| format!("\"{column}\""))
        .collect();
    Ok(match order.is_empty() {
        true => format!("{all}{condition}"),
        false => format!("{all}{condition} ORDER BY {}", order.join(", ")),
    })
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    name.into()
}

fn key_of(path: &Path) -> Result<Vec<u8>> {
    if !path.exists() {
        return Err(Error::Usage(format!(
            "--pseudonymise {0}: no such file; `coldtrail export --new-key {0}` makes a key",
            path.display()
        )));
    }
    std::fs::read(path).map_err(Error::io("read", path))
}

/// Makes a key of 32 random bytes, as 64 digits, that only its owner reads.
fn new_key(path: &Path) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(Error::io("create", path))?;
    let key: [u8; 32] = random();
    writeln!(file, "{}", hex::encode(key)).map_err(Error::io("write", path))
}

fn sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match io::Read::read(&mut file, &mut buffer).map_err(Error::io("read", path))? {
            0 => return Ok(hex::encode(hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}

/// Writes what each token stands for.
fn list(names: &Pseudonyms, path: &Path) -> Result<()> {
    into_file(path, |mut out| {
        let failed = |e| Error::io("write", path)(e);
        writeln!(out, "token,kind,original").map_err(failed)?;
        for (token, kind, original) in names.mapping() {
            writeln!(out, "{},{},{}", csv(token), kind.name(), csv(original)).map_err(failed)?;
        }
        out.flush().map_err(failed)
    })
}
