//! One mail after the other, each noted in the ledger before and after.

use super::letter::Letter;
use super::sent::{Book, Line, State};
use crate::fault::Result;

/// What mails are handed to.
pub trait Carrier {
    /// Where a mail goes: its file, or the server.
    fn way(&self, letter: &Letter) -> String;

    /// Waits until a mail can be handed over, and makes ready for that.
    ///
    /// # Errors
    /// When none can be: the run ends, and nothing was begun.
    fn ready(&mut self) -> Result<()>;

    /// Hands a mail over.
    ///
    /// # Errors
    /// When nobody knows whether it was taken, or no other will be: the run ends.
    fn carry(&mut self, letter: &Letter) -> Result<Taken>;
}

/// Whether a mail was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It was; with what the server answered.
    Yes(String),
    /// It was refused, with these words.
    No(String),
    /// Its recipient was refused for good, with these words, which may be about everybody: a relay that knows us not says the same of each. Where other
    /// mails are taken they are about this one.
    Unwelcome(String),
    /// There is no such mailbox, in these words.
    Never(String),
}

/// Hands all mails over, in their order, and calls `told` for each with what became of it: [`Taken::Yes`], [`Taken::No`] or [`Taken::Never`].
///
/// # Errors
/// When the ledger cannot be written, or the carrier gives up. What was handed over by then is noted.
pub fn deliver(
    letters: &[Letter],
    book: &mut Book,
    carrier: &mut dyn Carrier,
    now: i64,
    told: &mut dyn FnMut(&Letter, &Taken),
) -> Result<()> {
    let mut is_any_taken = false;
    let mut unwelcome: Vec<(&Letter, Line, String)> = Vec::new();
    for letter in letters {
        carrier.ready()?;
        let way = carrier.way(letter);
        let begun = Line::begun(&letter.id, letter.kind, &letter.to, &way, &letter.keys, now);
        book.write(&begun)?;
        let taken = carrier.carry(letter)?;
        let ended = match &taken {
            Taken::Yes(answer) => begun.ended(State::Sent, answer.clone()),
            Taken::No(answer) | Taken::Unwelcome(answer) => {
                begun.ended(State::Refused, answer.clone())
            }
            Taken::Never(answer) => begun.refused_for_good(answer.clone()),
        };
        book.write(&ended)?;
        is_any_taken |= matches!(taken, Taken::Yes(_));
        match taken {
            Taken::Unwelcome(answer) => unwelcome.push((letter, begun, answer)),
            taken => told(letter, &taken),
        }
    }
    for (letter, begun, answer) in unwelcome {
        if !is_any_taken {
            told(letter, &Taken::No(answer));
            continue;
        }
        book.write(&begun.refused_for_good(answer.clone()))?;
        told(letter, &Taken::Never(answer));
    }
    Ok(())
}
