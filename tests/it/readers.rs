//! What holds for every reader whatever the bytes: no panic, no hang, no record lost, and the size of the blocks does not matter.
//!
//! `read` is the whole way from bytes to rows, with these rules as assertions. It runs over every sample, over inputs that a fuzzer found
//! interesting (`corpus.zip`), and over mutations of both.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::sync::Arc;

use coldtrail::ingest::block::{self, Block, Blocks, Converted};
use coldtrail::ingest::format::{self, Container, Detected, Format, Hints, Rows};
use coldtrail::ingest::input::Input;
use coldtrail::ingest::member::{self, Member};
use coldtrail::ingest::stream;
use coldtrail::ingest::time::DateOrder;
use coldtrail::progress::Silent;

/// Records, rows by table, and rejected records.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub records: u64,
    pub rows: BTreeMap<&'static str, u64>,
    pub rejects: u64,
    prints: Vec<u128>,
}

impl Seen {
    fn add(&mut self, converted: Converted, base: u64, block: &Block) {
        let mut numbers: Vec<u64> = converted.rejects.iter().map(|r| r.record).collect();
        for reject in &converted.rejects {
            assert!(
                reject.offset <= block.bytes.len(),
                "an offset beyond the block"
            );
            assert!(!reject.reason.is_empty());
            assert!(reject.content.len() <= reject.length);
        }
        self.rejects += converted.rejects.len() as u64;
        for mut rows in converted.tables {
            *self.rows.entry(rows.table.name).or_default() += rows.len() as u64;
            numbers.extend(rows.records.iter().map(|r| *r as u64));
            self.prints.extend(&rows.prints);
            assert_eq!(rows.ids.len(), rows.len());
            for array in rows.arrays() {
                assert_eq!(array.len(), rows.len());
            }
        }
        self.rows.retain(|_, n| *n > 0);
        // Each record is exactly one row or one rejected record.
        numbers.sort_unstable();
        let all: Vec<u64> = (0..converted.records).collect();
        assert_eq!(numbers, all, "records of a block at {base}");
        self.records += converted.records;
    }
}

/// Converts a text whose format is known, in blocks of this size.
fn convert(text: &[u8], format: &Arc<Format>, size: usize) -> Seen {
    let mut blocks = Blocks::sized(Cursor::new(text), 0, size);
    if let Container::JsonEnvelope { key, once, .. } = format.container {
        blocks.within(key, once);
    }
    let mut seen = Seen::default();
    let mut carry: Option<Block> = None;
    while let Some(block) = blocks.next_block(&format.container) {
        let block = match carry.take() {
            Some(mut carried) => {
                carried.bytes.extend_from_slice(&block.bytes);
                carried.last = block.last;
                carried
            }
            None => block,
        };
        let converted = block::convert(format, &block);
        if let Some(from) = converted.leftover {
            carry = Some(Block {
                bytes: block.bytes[from..].to_vec(),
                offset: block.offset + from as u64,
                ..Block::default()
            });
        }
        let base = seen.records;
        seen.add(converted, base, &block);
    }
    if let Some(mut carried) = carry {
        carried.last = true;
        let base = seen.records;
        seen.add(block::convert(format, &carried), base, &carried);
    }
    seen.prints.sort_unstable();
    seen
}

fn hints(choice: u8) -> Hints {
    Hints {
        order: match choice & 3 {
            1 => Some(DateOrder::MonthFirst),
            2 => Some(DateOrder::DayFirst),
            _ => None,
        },
        zone: (choice & 4 != 0).then_some(chrono_tz::Europe::Berlin),
        rows: (choice & 8 != 0).then(|| Rows {
            table: coldtrail::catalog::table("OfficeActivity"),
            columns: Vec::new(),
            called: None,
        }),
        time_column: None,
    }
}

/// Reads bytes as an ingest would; `choice` is what the user says.
pub(crate) fn read(bytes: &[u8], choice: u8) -> Vec<Seen> {
    let mut out = Vec::new();
    one(
        &Input::Member(Member::of_bytes("input", bytes)),
        choice,
        &mut out,
    );
    out
}

fn one(input: &Input, choice: u8, out: &mut Vec<Seen>) {
    let Ok(stream) = stream::open(input, Arc::new(Silent)) else {
        return;
    };
    if stream.packing.holds_members() {
        let members = member::members(input, stream.packing)
            .map(|m| m.inputs)
            .unwrap_or_default();
        for member in members.iter().take(16) {
            one(member, choice, out);
        }
        return;
    }
    // Small inputs may unpack to megabytes; the rules hold for the first ones as well.
    let mut text = Vec::new();
    let _ = stream.take(1 << 20).read_to_end(&mut text);
    let Detected::Known(format) = format::detect(&text, &hints(choice)) else {
        return;
    };
    let format = Arc::new(*format);
    let body = match format.container {
        Container::Csv { body, .. } | Container::JsonEnvelope { body, .. } => body,
        _ => 0,
    };
    let text = &text[body..];
    let whole = convert(text, &format, 4 << 20);
    let small = 1 + usize::from(choice >> 4) * 37;
    assert_eq!(
        whole,
        convert(text, &format, small),
        "blocks of {small} bytes of {}: {}",
        format.container,
        String::from_utf8_lossy(text)
    );
    out.push(whole);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project;

    fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
        let mut out: Vec<_> = walkdir::WalkDir::new(project(folder))
            .sort_by_file_name()
            .into_iter()
            .map(|e| e.expect("an entry"))
            .filter(|e| e.file_type().is_file())
            .map(|e| {
                let bytes = std::fs::read(e.path()).expect("a sample");
                (e.path().display().to_string(), bytes)
            })
            .collect();
        out.retain(|(_, bytes)| bytes.len() < 1 << 20);
        out
    }

    #[test]
    fn every_sample_and_every_find_of_the_fuzzer_keeps_the_rules() {
        let mut records = 0;
        for (name, bytes) in files("sample-data") {
            println!("{name}");
            for choice in [0, 0x11, 0x52, 0xff] {
                records += read(&bytes, choice).iter().map(|s| s.records).sum::<u64>();
            }
        }
        let corpus = Input::File(project("tests/it/corpus.zip"));
        let corpus = member::members(&corpus, stream::Packing::Zip).expect("the corpus");
        assert!(corpus.inputs.len() > 200);
        for input in &corpus.inputs {
            let Input::Member(member) = input else {
                continue;
            };
            let mut bytes = Vec::new();
            let mut reader = member.open().expect("a member").bytes;
            reader.read_to_end(&mut bytes).expect("it is whole");
            println!("{}", member.name);
            // The first byte is what the user says, as the fuzzer had it.
            if let Some((choice, bytes)) = bytes.split_first() {
                read(bytes, *choice);
            }
        }
        assert!(records > 2000, "{records}");
    }

    #[test]
    fn mutations_of_samples_keep_the_rules() {
        let samples = files("sample-data");
        let mut seed: u64 = 11;
        let mut next = |below: usize| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below.max(1)
        };
        const MARKS: [&[u8]; 12] = [
            b"\"", b"\n", b"\r\n", b"{", b"}", b"[", b"]", b",", b"\\", b"\xff", b"\0", b"\"\"",
        ];
        for _ in 0..3000 {
            let (_, sample) = &samples[next(samples.len())];
            let from = next(sample.len());
            let mut bytes = match next(3) {
                0 => sample[from..].to_vec(),
                _ => sample.clone(),
            };
            bytes.truncate(8 << 10);
            for _ in 0..1 + next(4) {
                let at = next(bytes.len() + 1);
                match next(4) {
                    0 => bytes.truncate(at),
                    1 => drop(bytes.splice(at..at, MARKS[next(MARKS.len())].iter().copied())),
                    2 if at < bytes.len() => bytes[at] ^= 1 << next(8),
                    _ => drop(bytes.drain(at..bytes.len().min(at + next(40)))),
                }
            }
            read(&bytes, next(256) as u8);
        }
    }
}
