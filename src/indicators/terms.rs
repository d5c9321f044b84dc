//! What is the same for all indicators of a document.

use super::moments::{MILLISECOND, YEARS};

/// How far indicators may be passed on (Traffic Light Protocol).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tlp {
    /// To everybody.
    White,
    /// Within the community.
    Green,
    /// Within the organisation and to its clients.
    Amber,
    /// To nobody else.
    Red,
}

impl Tlp {
    /// All, the most open first.
    pub const ALL: [Tlp; 4] = [Tlp::White, Tlp::Green, Tlp::Amber, Tlp::Red];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Tlp::White => "white",
            Tlp::Green => "green",
            Tlp::Amber => "amber",
            Tlp::Red => "red",
        }
    }

    /// The id of its marking, which the specification of STIX 2.1 fixes.
    pub(super) fn marking(self) -> &'static str {
        match self {
            Tlp::White => "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",
            Tlp::Green => "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
            Tlp::Amber => "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
            Tlp::Red => "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
        }
    }
}

/// What is the same for all indicators of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The moment from which the end is counted, in microseconds since 1970, UTC.
    pub moment: i64,
    /// How long indicators hold, in microseconds.
    pub valid_for: i64,
    /// How far they may be passed on.
    pub tlp: Tlp,
}

impl Terms {
    /// When indicators end.
    pub fn until(&self) -> i64 {
        self.moment.saturating_add(self.valid_for)
    }

    /// From when to when an indicator holds. The end lies behind the beginning, as Sentinel wants it.
    pub(super) fn span(&self, first: Option<i64>) -> (i64, i64) {
        let from = first.unwrap_or(self.moment).min(YEARS.1 - MILLISECOND);
        let until = self.until();
        (from, until.max(from.saturating_add(MILLISECOND)))
    }
}
