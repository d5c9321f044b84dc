fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let archive = coldtrail::archive::Archive::create(std::path::Path::new(&args[0])).unwrap();
    let found = coldtrail::ingest::input::find(&args[1..]).unwrap();
    let p: std::sync::Arc<dyn coldtrail::progress::Progress> = std::sync::Arc::new(coldtrail::progress::Silent);
    let t = std::time::Instant::now();
    let s = coldtrail::convert::ingest(&archive, &found, &coldtrail::convert::Options { now: 1_700_000_000_000_000, hints: Default::default(), clobber: false }, &p);
    match s { Ok(s) => { for e in &s.entries { println!("{} {} rec={} ev={} dup={} rev={} quar={} {:?} {} [{}] {}", e.id, e.file, e.records, e.events(), e.duplicates, e.revisions, e.quarantined, e.tables, e.status.name(), e.kind, e.note); } println!("{:?} {:?}", s.known, s.reasons); } Err(e) => println!("error {e}") }
    println!("{:?}", t.elapsed());
}
