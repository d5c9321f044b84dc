//! Where the library reports how far it is; the command line draws it. Knows nothing of terminals.

/// Receives progress. All methods have a default that does nothing.
pub trait Progress: Send + Sync {
    /// So many bytes in total are to be read; `None` where nobody knows (standard input).
    fn total_bytes(&self, _bytes: Option<u64>) {}
    /// So many bytes more were read from inputs.
    fn read_bytes(&self, _bytes: u64) {}
    /// This input is being read now.
    fn input(&self, _name: &str) {}
    /// A step began: `writing`, `hunting`, …
    fn step(&self, _name: &str) {}
    /// So many rules are to be run.
    fn rules(&self, _total: usize) {}
    /// This rule is planned, to run as soon as others make room. beside others.
    fn rule(&self, _id: &str) {}
    /// One more rule has ended.
    fn rule_done(&self) {}
}

/// Progress that nobody looks at.
pub struct Silent;

impl Progress for Silent {}
