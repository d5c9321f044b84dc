//! Texts that are almost queries: nothing panics, nothing hangs, and every place that is told lies in the text.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use coldtrail::engine::kql::{Options, Purpose};
use coldtrail::engine::{self, Session, Source};
use coldtrail::function::{self, aggregate};
use coldtrail::kql::{manual, parse, plugin};

/// Texts that go through lexer and parser.
const PARSED: usize = 20_000;
/// Texts that go through the engine too.
const RUN: usize = 1_500;
/// No text may take longer.
const LONGEST: Duration = Duration::from_secs(20);

const PIECES: [&str; 40] = [
    "|",
    ";",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    "=",
    "==",
    "'",
    "\"",
    "@'",
    "```",
    "//",
    "\n",
    "..",
    "*",
    "-",
    "!",
    "~",
    "\\",
    "\u{e9}",
    "\u{1f600}",
    "\u{200b}",
    "0x",
    "1e",
    "1d",
    "| where ",
    "| extend x = ",
    "| summarize ",
    "| join (",
    "| mv-apply x on (",
    "toscalar(",
    "let x = ",
    "dynamic({",
    "datetime(",
    "in~ (",
    "by ",
];

struct Seed(u64);

impl Seed {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % n.max(1)
    }

    /// The text with a few changes.
    fn broken(&mut self, text: &str, others: &[&str]) -> String {
        let mut chars: Vec<char> = text.chars().collect();
        for _ in 0..=self.below(3) {
            let at = self.below(chars.len() + 1);
            let end = (at + self.below(12)).min(chars.len());
            match self.below(5) {
                0 => drop(chars.drain(at..end)),
                1 => {
                    let again: Vec<char> = chars[at..end].to_vec();
                    chars.splice(at..at, again);
                }
                2 => {
                    let other = others[self.below(others.len())];
                    let skipped = other.chars().skip(self.below(other.chars().count()));
                    let piece: Vec<char> = skipped.take(20).collect();
                    chars.splice(at..at, piece);
                }
                _ => {
                    let piece = PIECES[self.below(PIECES.len())];
                    chars.splice(at..at, piece.chars());
                }
            }
        }
        chars.into_iter().collect()
    }
}

fn examples() -> Vec<&'static str> {
    let all = manual::all().map(|e| e.example);
    let all = all.chain(function::all().map(|f| f.example));
    let all = all.chain(aggregate::all().map(|a| a.example));
    let all = all.chain(plugin::all().map(|p| p.example));
    all.filter(|example| !example.is_empty()).collect()
}

#[test]
fn places_of_faults_lie_in_the_text() {
    let examples = examples();
    let mut seed = Seed(1);
    let mut faulty = 0;
    for n in 0..PARSED {
        let text = seed.broken(examples[n % examples.len()], &examples);
        let (_, faults) = parse(&text);
        faulty += usize::from(!faults.is_empty());
        for fault in faults {
            let part = text.get(fault.span.start..fault.span.end);
            assert!(part.is_some(), "{:?} of {text:?}", fault.span);
        }
    }
    assert!(faulty > PARSED / 4, "only {faulty} texts were broken");
}

#[test]
fn no_text_makes_the_engine_panic_or_hang() {
    let examples = examples();
    let session =
        Session::open(Source::Memory(Vec::new()), &engine::Options::default()).expect("a session");
    let mut seed = Seed(2);
    let mut answered = 0;
    for n in 0..RUN {
        let text = seed.broken(examples[seed.0 as usize % examples.len()], &examples);
        let options = Options {
            purpose: [Purpose::Run, Purpose::Check][n % 2],
            ..Options::default()
        };
        let started = Instant::now();
        let answer = catch_unwind(AssertUnwindSafe(|| session.kql(&text, &options).is_ok()));
        match answer {
            Ok(good) => answered += usize::from(good),
            Err(_) => panic!("a panic for {text:?}"),
        }
        assert!(
            started.elapsed() < LONGEST,
            "{:?} for {text:?}",
            started.elapsed()
        );
    }
    assert!(answered > RUN / 20, "only {answered} texts had an answer");
}
