use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::builder::NonEmptyStringValueParser;
use rand::random;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::answer::{Shape, format_among, into_file, shape, text_into_file};
use super::exit::Exit;
use super::global::{Global, Patience};
use super::offered::offering;
use super::tables::quoted;
use super::ui::{Ui, counted, time_text};
use super::waiting::Waiting;
use super::when::Window;
use crate::archive::Archive;
use crate::catalog::{EXTRA, INGEST_ID, Origin, RECORD, TIME, Table};
use crate::engine::output::{self, Format, Writer, csv, visible};
use crate::engine::{Session, Source};
use crate::fault::{Error, Result};
use crate::ingest::own::GENERATOR;
use crate::share::{Dictionary, Pseudonyms, Rows, usable};
use crate::timeline::Subject;

mod chosen;

use chosen::{Kept, LISTS, all, chosen};

/// Write events to files that can be handed on
///
/// A file has the rows of one table as they are stored: the columns of the export, the raw record among them, and ExtraColumns. `coldtrail ingest`
/// reads it again. A watchlist goes whole; in a folder it lies in one called `watchlists`. FILE.manifest.json beside it says what it holds: table,
/// rows, times, users, SHA-256, and what was replaced where.
///
/// With --pseudonymise everything that may name somebody becomes a token of the key, in columns and inside of JSON: first all tables of the
/// archive are read for who and where is named, which takes memory for each different name, then every text is walked. The same key gives the
/// same tokens in all tables and on other days; addresses of one network stay of one network.
///
/// A name is looked for in the spellings that logs have: any case, with accents, without and with letters for them, escaped for URLs, HTML, JSON and
/// mail, in Punycode, with letters that nobody sees, two names as one word (`afletcher`, `fletchera`), and as the whole of a value in base64 or
/// in digits of sixteen. Addresses are found as one number and inside of IPv6, ids without `-`, telephones with the number of their country and without.
///
/// What is kept: times; codes of countries; numbers, unless somebody's id, telephone or address has the same digits; operations, workloads,
/// record types, results, severities, names and ids of labels, names and ids of applications, user agents, ids of records, words such as
/// `sites`, and extensions of files. Words by which a person, a mailbox, a tenant, a host or a device of the archive is called are replaced in
/// these, too, but for such that many mailboxes are called by, as in `Add member to group.` A label keeps words that only a site or a file is
/// called by. Of a record that is JSON, only values and keys change; blanks, order and keys that stand twice stay.
///
/// What is not promised: that nobody can tell who it was. Times stay, and so does what was done in which order: behaviour identifies. Coordinates
/// of places are numbers and stay, and so do numbers of up to four digits in texts that are no telephone. In labels, applications, operations,
/// results and keys of JSON stay: names that nothing else of the archive has, nicknames, names inside of longer words (`contosoapp`), and
/// what is packed within a longer text or in other ways. Look through a file before you hand it on. Rules that look for words in free text find
/// less in it. A watchlist is refused: nobody knows which of its columns name people.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The archive
    #[arg(short, long, value_name = "DIR", required_unless_present = "new_key")]
    archive: Option<PathBuf>,
    /// The file for one table: .csv, .jsonl, .ndjson or .parquet. Or a folder, one that exists or a name with `/` at its end, for a file of each table
    #[arg(
        short,
        long,
        value_name = "FILE|DIR",
        required_unless_present = "new_key"
    )]
    output: Option<PathBuf>,
    /// csv, jsonl or parquet. When not given, what the name of the file says; a folder needs it
    #[arg(short, long, value_name = "FORMAT", value_parser = offering(shape, ["csv", "jsonl", "parquet"]), hide_possible_values = true)]
    format: Option<Shape>,
    /// Only this table, or a watchlist: watchlists.NAME, such as watchlists.Labels, the names and ranks of labels. May be given several times for a
    /// folder; all tables of events that have rows when not given
    #[arg(long = "table", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    tables: Vec<String>,
    /// Only events that a user did, or that were done to him or in his mailbox, as `timeline --user` finds them; `*` is any text, case does not
    /// count. May be given several times
    #[arg(long = "user", value_name = "USER", value_parser = NonEmptyStringValueParser::new())]
    users: Vec<String>,
    /// Add _IngestId and _Record, which lead back to a line of a file
    #[arg(long)]
    lineage: bool,
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
    #[arg(long, value_name = "KEYFILE", conflicts_with_all = ["archive", "output", "format", "tables", "users", "lineage", "pseudonymise"])]
    new_key: Option<PathBuf>,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    window: Window,
}

/// Something to export and the file that it goes to.
struct Part {
    kept: Kept,
    query: String,
    path: PathBuf,
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    if let Some(path) = &args.new_key {
        new_key(path)?;
        ui.say(&format!("a key is in `{}`", path.display()));
        return Ok(Exit::Done);
    }
    // clap asks for them unless a key is wanted.
    let (Some(place), Some(output)) = (&args.archive, &args.output) else {
        return Ok(Exit::Usage);
    };
    let is_folder = is_folder(output);
    let format = format(output, args.format, is_folder)?;
    args.window.check()?;
    let key = args.pseudonymise.as_deref().map(key_of).transpose()?;
    if let (Some(path), Some(key)) = (&args.pseudonymise, &key)
        && !is_made(key)
    {
        ui.warn(&format!(
            "`{}` is no key that --new-key makes: whoever has or guesses what is in it can tell who a token stands for",
            path.display()
        ));
    }
    let archive = Archive::open_to_ask(place)?;
    let mut options = global.engine(Some(&args.window))?;
    options.timeout = args.patience.timeout;
    let session = Session::open(Source::Archive(&archive), &options)?;
    let parts = parts(args, &session, (output.as_path(), is_folder, format), ui)?;
    apart(args, output, &parts)?;
    let manifests = parts.iter().map(|part| beside(&part.path));
    let files = parts.iter().map(|part| part.path.clone());
    for file in files.chain(manifests).chain(args.mapping.clone()) {
        if file.exists() && !args.clobber {
            return Err(Error::Exists(file));
        }
    }
    let waiting = Waiting::begin(ui, "exporting");
    let mut names = match &key {
        Some(key) => Some(Pseudonyms::new(
            key,
            named(&archive, global)?,
            args.mapping.is_some(),
        )?),
        None => None,
    };
    let folders = parts.iter().filter_map(|part| part.path.parent());
    for folder in folders.filter(|_| is_folder) {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    let mut rows = 0;
    for part in &parts {
        rows += write(args, &session, part, format, names.as_mut())?;
    }
    if let (Some(names), Some(path)) = (&names, &args.mapping) {
        list(names, path)?;
    }
    let missed = match rows {
        0 => args.users.clone(),
        _ if args.users.len() < 2 => Vec::new(),
        _ => unseen(args, &session, &parts)?,
    };
    drop(waiting);
    if !missed.is_empty() {
        ui.say(&no_rows_of(&missed, &args.window));
    }
    let files = match parts.as_slice() {
        [part] => format!("`{}`", part.path.display()),
        parts => format!(
            "{} in `{}`",
            counted(parts.len() as u64, "file"),
            output.display()
        ),
    };
    ui.say(&format!(
        "{} in {files}; what they are stands beside in .manifest.json",
        counted(rows, "row")
    ));
    Ok(Exit::Done)
}

/// Extensions of exports.
const WRITTEN: [&str; 4] = ["csv", "jsonl", "ndjson", "parquet"];

/// Whether a name is that of a folder.
fn is_folder(path: &Path) -> bool {
    let name = path.to_string_lossy();
    path.is_dir() || name.ends_with('/') || name.ends_with(std::path::MAIN_SEPARATOR)
}

/// Whether a key is one that `--new-key` makes: 64 digits of sixteen.
fn is_made(key: &[u8]) -> bool {
    let key = key.trim_ascii();
    key.len() == 64 && key.iter().all(u8::is_ascii_hexdigit)
}

/// Refuses a key or a mapping where it would be handed on with the files, or be one of them.
fn apart(args: &Args, output: &Path, parts: &[Part]) -> Result<()> {
    let secrets = [
        ("--pseudonymise", &args.pseudonymise),
        ("--mapping", &args.mapping),
    ];
    // A file is no folder that something lies in, but may be the same one.
    let mut places = vec![place_of(output)];
    places.extend(parts.iter().map(|part| place_of(&beside(&part.path))));
    for (option, path) in secrets {
        let Some(path) = path else { continue };
        let secret = place_of(path);
        if places.iter().any(|place| secret.starts_with(place)) {
            return Err(Error::Usage(format!(
                "{option} {}: it would be handed on with `{}`; who has it knows everybody: name another place",
                path.display(),
                output.display()
            )));
        }
    }
    match (&args.pseudonymise, &args.mapping) {
        (Some(key), Some(mapping)) if place_of(key) == place_of(mapping) => {
            Err(Error::Usage(format!(
                "--mapping {}: the key is there; name another file",
                mapping.display()
            )))
        }
        _ => Ok(()),
    }
}

/// A path from the root, without links as far as it is there.
fn place_of(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let mut above = whole.ancestors();
    let place = above.find_map(|part| {
        let rest = whole.strip_prefix(part).ok()?;
        Some(part.canonicalize().ok()?.join(rest))
    });
    place.unwrap_or(whole)
}

/// The format of the files.
fn format(path: &Path, given: Option<Shape>, is_folder: bool) -> Result<Format> {
    // It is read again for its SHA-256, and a pipe would give nothing, for ever.
    if !is_folder && path.exists() && !path.is_file() {
        return Err(Error::Usage(format!(
            "-o {}: an export is a file with its manifest beside it, and this is a device or a pipe; name a file",
            path.display()
        )));
    }
    let shape = match (is_folder, given) {
        (false, given) => format_among(path, given, &WRITTEN)?,
        (true, Some(given)) => given,
        (true, None) => {
            return Err(Error::Usage(format!(
                "-o {}: a folder says no format; add -f csv, jsonl or parquet",
                path.display()
            )));
        }
    };
    match shape {
        Shape::Other(format @ (Format::Csv | Format::Ndjson | Format::Parquet)) => Ok(format),
        Shape::Table | Shape::Other(_) => Err(Error::Usage(format!(
            "-o {}: an export is csv, jsonl or parquet; name it so, or add -f",
            path.display()
        ))),
    }
}

/// Users of several who have no row in any of these parts.
fn unseen(args: &Args, session: &Session, parts: &[Part]) -> Result<Vec<String>> {
    let mut missed = Vec::new();
    for user in &args.users {
        let subject = of_users(std::slice::from_ref(user));
        let mut is_seen = false;
        for part in parts {
            let Kept::Table(table) = &part.kept else {
                continue;
            };
            let Some(condition) = subject.condition(table) else {
                continue;
            };
            let sql = format!(
                "SELECT 1 FROM stored.\"{}\" AS e WHERE {condition} LIMIT 1",
                table.name
            );
            session.begin();
            let (_, batches) = session.collect(&sql)?;
            session.end();
            is_seen = batches.iter().any(|batch| batch.num_rows() > 0);
            if is_seen {
                break;
            }
        }
        if !is_seen {
            missed.push(user.clone());
        }
    }
    Ok(missed)
}

/// That no row is of these users.
fn no_rows_of(users: &[String], window: &Window) -> String {
    let users: Vec<String> = users
        .iter()
        .map(|user| format!("`{}`", visible(user)))
        .collect();
    let when = match window.from().or(window.to()) {
        Some(_) => " in the time asked for",
        None => "",
    };
    format!(
        "no row is of {}{when}; --user takes a whole name, such as anna@contoso.com, or a part of it as 'anna@*'",
        users.join(" or ")
    )
}

fn of_users(users: &[String]) -> Subject {
    Subject {
        users: users.to_vec(),
        ..Subject::default()
    }
}

/// The tables that are asked for, each with its query and its file.
fn parts(
    args: &Args,
    session: &Session,
    (output, is_folder, format): (&Path, bool, Format),
    ui: &Ui,
) -> Result<Vec<Part>> {
    let chosen = chosen(&args.tables, session)?;
    if let (Some(key), Some(Kept::List(list))) = (
        &args.pseudonymise,
        chosen.iter().find(|kept| matches!(kept, Kept::List(_))),
    ) {
        return Err(Error::Usage(format!(
            "--pseudonymise {}: `{LISTS}.{}` is a list of somebody's own, and nobody knows which of its columns, or its name, name people; leave it out, or export it without a key",
            key.display(),
            visible(list)
        )));
    }
    if !is_folder && chosen.len() > 1 {
        let names: Vec<String> = chosen.iter().map(Kept::name).collect();
        return Err(Error::Usage(format!(
            "-o {}: a file has one table, and these have {}: {}; choose one with --table, or name a folder: -o {}/ -f csv",
            output.display(),
            match args.tables.is_empty() {
                true => "events",
                false => "rows",
            },
            visible(&names.join(", ")),
            output.with_extension("").display()
        )));
    }
    let extension = match format {
        Format::Csv => "csv",
        Format::Parquet => "parquet",
        _ => "jsonl",
    };
    let subject = of_users(&args.users);
    let mut parts = Vec::new();
    for kept in chosen {
        let query = match &kept {
            Kept::Table(table) => subject
                .condition(table)
                .map(|condition| query(table, &condition, args.lineage)),
            Kept::List(list) => args
                .users
                .is_empty()
                .then(|| format!("SELECT * FROM {LISTS}.{}", quoted(list))),
        };
        let Some(query) = query else {
            ui.warn(&format!(
                "--user: `{}` has no column that names a user; it is left out",
                kept.name()
            ));
            continue;
        };
        let path = match is_folder {
            true => kept.path(output, extension),
            false => output.to_path_buf(),
        };
        parts.push(Part { kept, query, path });
    }
    match parts.is_empty() {
        true => Err(Error::Usage(
            "nothing to export: no table of events is left; `coldtrail tables -a DIR` shows what there is"
                .into(),
        )),
        false => Ok(parts),
    }
}

/// Columns that were in the export, and what was beside them: all else is worked out again when the file is read.
fn columns(table: &Table) -> Vec<&'static str> {
    let columns = table.columns.iter();
    let kept = columns.filter(|column| column.origin == Origin::Export || column.name == EXTRA);
    kept.map(|column| column.name).collect()
}

/// The query for the rows of a table, in an order that does not depend on the run.
fn query(table: &Table, condition: &str, lineage: bool) -> String {
    let mut columns = columns(table);
    if lineage {
        columns.extend([INGEST_ID, RECORD]);
    }
    let columns: Vec<String> = columns.iter().map(|name| format!("e.\"{name}\"")).collect();
    format!(
        "SELECT {} FROM stored.\"{}\" AS e WHERE {condition} ORDER BY e.\"{TIME}\", e.\"{INGEST_ID}\", e.\"{RECORD}\"",
        columns.join(", "),
        table.name
    )
}

/// Who and where the archive names, at any time and in all tables.
fn named(archive: &Archive, global: &Global) -> Result<Dictionary> {
    let session = Session::open(Source::Archive(archive), &global.engine(None)?)?;
    let mut names = Dictionary::new();
    for table in all(&session) {
        let columns = columns(table)
            .into_iter()
            .map(|name| format!("e.\"{name}\""));
        let columns: Vec<String> = columns.collect();
        let sql = format!(
            "SELECT {} FROM stored.\"{}\" AS e",
            columns.join(", "),
            table.name
        );
        session.stream(session.plan(&sql)?, |batch| names.learn(batch))?;
    }
    Ok(names)
}

/// Writes a file and what it is; how many rows it has.
fn write(
    args: &Args,
    session: &Session,
    part: &Part,
    format: Format,
    names: Option<&mut Pseudonyms>,
) -> Result<u64> {
    session.begin();
    let frame = session.plan(&part.query)?;
    let schema = output::schema(&frame);
    let is_hidden = names.is_some();
    let (mut rows, mut replaced) = (0, None);
    into_file(&part.path, |out| {
        let mut writer = Writer::new(format, schema, out, false)?;
        let mut hidden = names.map(Rows::new);
        session.stream(frame, |batch| match &mut hidden {
            Some(hidden) => writer.write(&hidden.batch(batch)?),
            None => writer.write(batch),
        })?;
        rows = writer.finish()?;
        replaced = hidden.as_ref().map(told);
        Ok(())
    })?;
    session.end();
    // Whose events they are is not said where nobody shall be named.
    let users = match is_hidden {
        true => json!(args.users.len()),
        false => json!(args.users),
    };
    // A list has no times.
    let is_timed = matches!(part.kept, Kept::Table(_));
    let time = |time: Option<i64>| time.filter(|_| is_timed).map(time_text);
    let said = json!({
        // First: ingest passes over what says so.
        "generator": GENERATOR,
        "table": part.kept.name(),
        "rows": rows,
        "from": time(args.window.from()),
        "to": time(args.window.to()),
        "users": users,
        "sha256": sha256(&part.path)?,
        "pseudonymised": is_hidden,
        "replaced": replaced,
    });
    text_into_file(&beside(&part.path), &format!("{said:#}\n"))?;
    Ok(rows)
}

/// How much was replaced, by kind, and by column and path of keys.
fn told(hidden: &Rows<'_>) -> Value {
    let mut all: Map<String, Value> = Map::new();
    let mut places: Map<String, Value> = Map::new();
    for (place, kinds) in hidden.replaced() {
        let mut here = Map::new();
        for (kind, count) in kinds {
            let sum = all.get(kind.name()).and_then(Value::as_u64).unwrap_or(0);
            all.insert(kind.name().into(), json!(sum + count));
            here.insert(kind.name().into(), json!(count));
        }
        places.insert(place.to_string(), Value::Object(here));
    }
    json!({ "by_kind": all, "by_place": places })
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(".manifest.json");
    name.into()
}

fn key_of(path: &Path) -> Result<Vec<u8>> {
    if !path.exists() {
        return Err(Error::Usage(format!(
            "--pseudonymise {0}: no such file; `coldtrail export --new-key {0}` makes a key",
            path.display()
        )));
    }
    let key = std::fs::read(path).map_err(Error::io("read", path))?;
    usable(&key)?;
    Ok(key)
}

/// Makes a key of 32 random bytes, as 64 digits, that only its owner reads.
pub(super) fn new_key(path: &Path) -> Result<()> {
    if path.exists() {
        // What was made with it would be lost.
        return Err(Error::Unusable {
            path: path.into(),
            reason: "exists already, and a key is not replaced: name another file".into(),
        });
    }
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

/// Writes what each token stands for, for its owner only.
fn list(names: &Pseudonyms, path: &Path) -> Result<()> {
    into_file(path, |mut out| {
        let failed = |e| Error::io("write", path)(e);
        #[cfg(unix)]
        {
            let file = out.get_ref();
            if file.metadata().map_err(failed)?.is_file() {
                let own = std::os::unix::fs::PermissionsExt::from_mode(0o600);
                file.set_permissions(own).map_err(failed)?;
            }
        }
        writeln!(out, "token,kind,original").map_err(failed)?;
        for (token, kind, original) in names.mapping() {
            writeln!(out, "{},{},{}", csv(token), csv(kind.name()), csv(original))
                .map_err(failed)?;
        }
        out.flush().map_err(failed)
    })
}
