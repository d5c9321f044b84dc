//! One binary for all integration tests: each further one would link all of DataFusion again.

mod alert_ids;
mod alerts;
mod answers;
mod ask_command;
mod asked_times;
mod balance;
mod bodies;
mod bounds;
mod broken;
mod browser;
mod case;
mod choices;
mod circles;
mod cluster;
mod columns;
mod command_line;
mod compact;
mod compacting;
mod containers;
mod cost;
mod counts;
mod crash;
mod customs;
mod cut_off;
mod delta;
mod delta_readers;
mod denials;
mod dist;
mod durable;
mod entra;
mod examples;
mod export;
mod field;
mod format;
mod guises;
mod hostile;
mod identities;
mod indicators;
mod inputs;
mod kept_views;
mod known_runs;
mod kql;
mod kql_believed;
mod kql_certain;
mod kql_command;
mod kql_functions;
mod kql_newest;
mod kql_numbers;
mod kql_plans;
mod kql_windows;
mod label_events;
mod label_sources;
mod label_types;
mod label_wording;
mod labels;
mod layers;
mod list_memory;
mod lists;
mod log_format;
mod manners;
mod memory;
mod notices;
mod notices_sent;
mod object_storage;
mod object_storage_archive;
mod object_storage_inputs;
mod odd_damage;
mod odd_json;
mod odd_shapes;
mod once;
mod opening;
mod orders;
mod pack;
mod packed;
mod pages;
mod peaks;
mod people;
mod phases;
mod pipeline;
mod proof;
mod public_rules;
mod questions;
mod raised;
mod readers;
mod readme;
mod real_attack;
mod real_exports;
mod received;
mod remarks;
mod replay;
mod replay_orders;
mod replay_outcomes;
mod replay_shapes;
mod replayed_times;
mod report_figures;
mod report_formats;
mod report_page;
mod rules;
mod rules_checked;
mod rules_converted;
mod rules_covered;
mod rules_files;
mod rules_loaded;
mod rules_page;
mod rules_parameters;
mod rules_tested;
mod rules_why;
mod run;
mod run_told;
mod sample_data;
mod shell;
mod shown;
mod sigma;
mod sigma_fields;
mod sign_ins;
mod sources;
mod sql;
mod stories;
mod sweep;
mod sweep_of_none;
mod tables;
mod tamper;
mod terminal;
mod ties;
mod timeline;
mod times;
mod unjudged;
mod unsorted;
mod watchlists;
mod windows;
mod words;
mod worker;
mod wrappers;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use coldtrail::archive::Archive;
use coldtrail::convert::{self, Options, Summary};
use coldtrail::engine::{self, Session, Source, output};
use coldtrail::ingest::input;
use coldtrail::progress::{Progress, Silent};

/// 2026-06-01T00:00:00Z
const NOW: i64 = 1_780_272_000_000_000;

/// Folders of the sample data with one story.
const STORY: [&str; 7] = [
    "cloudappevents",
    "informationprotection",
    "management-api",
    "rms",
    "signin",
    "ual-portal",
    "ual-search",
];

/// A path below the project.
fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The folder with real exports beside the project, where there is one.
fn shared(path: &str) -> Option<PathBuf> {
    let found = project("../shared").join(path);
    if found.exists() {
        return Some(found);
    }
    println!("skipped: `{}` is not there", found.display());
    None
}

fn options() -> Options {
    Options {
        now: NOW,
        ..Options::default()
    }
}

fn ingest(archive: &Path, inputs: &[PathBuf]) -> Summary {
    ingest_with(archive, inputs, &options())
}

fn ingest_with(archive: &Path, inputs: &[PathBuf], options: &Options) -> Summary {
    let names: Vec<String> = inputs
        .iter()
        .map(|p| p.to_string_lossy().into_owned())
        .collect();
    let found = input::find(&names).expect("inputs exist");
    let archive = Archive::create(archive).expect("an archive can be made");
    let progress: Arc<dyn Progress> = Arc::new(Silent);
    convert::ingest(&archive, &found, options, &progress).expect("ingest")
}

/// Rows of an answer, cells joined by `|`.
fn ask(archive: &Path, sql: &str) -> Vec<String> {
    let archive = Archive::open(archive).expect("an archive");
    let session =
        Session::open(Source::Archive(&archive), &engine::Options::default()).expect("a session");
    rows(&session, sql)
}

fn rows(session: &Session, sql: &str) -> Vec<String> {
    let (_, batches) = session
        .collect(sql)
        .unwrap_or_else(|e| panic!("{sql}: {e}"));
    let mut out = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = batch
                .columns()
                .iter()
                .map(|c| output::cell(c, row).expect("a cell"))
                .collect();
            out.push(cells.join("|"));
        }
    }
    out
}

/// The one number that a query gives.
fn number(archive: &Path, sql: &str) -> u64 {
    ask(archive, sql)[0].parse().expect("a number")
}
