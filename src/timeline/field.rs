//! What an event says: its time and a few texts, as a query gives them.

use arrow::array::{Array, AsArray, PrimitiveArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};

use crate::fault::Result;

/// Name of the column with the time.
pub(super) const TIME: &str = "Time";

/// What an event says beside its time. Nothing is an empty text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// Table or view that has it.
    Table,
    /// What was done, as logged.
    Action,
    /// Who did it.
    User,
    /// That one's name.
    UserName,
    /// Address of the client.
    Address,
    /// Application.
    Application,
    /// Session.
    Session,
    /// On what: path, address, id.
    Object,
    /// That one's name: file, mail, alert.
    Name,
    /// How it ended.
    Result,
    /// Why it ended so.
    Reason,
    /// Device.
    Device,
    /// Country or place.
    Place,
    /// With or for whom: people, or JSON that has them.
    Target,
    /// Owner of the mailbox or of the document's protection.
    Owner,
    /// How many actions it stands for.
    Count,
    /// Whom a link or a permission reaches, how bad an alert is.
    Scope,
    /// Label before, by its id.
    OldLabel,
    /// Label after, by its id.
    NewLabel,
    /// What became of the label's rank, as a number.
    LabelChange,
    /// Reason that the user gave for it.
    Justification,
    /// Where to: folder and name.
    Destination,
    /// Arguments of a command, JSON.
    Parameters,
    /// What changed, JSON.
    Changes,
    /// Further facts, JSON.
    Facts,
    /// Team or group.
    Team,
    /// Channel.
    Channel,
    /// Id of the event.
    EventId,
    /// Number of the ingest.
    Ingest,
    /// Number of the record in its file.
    Record,
}

/// How many there are.
const FIELDS: usize = 30;

impl Field {
    /// All, in order.
    pub(super) const ALL: [Field; FIELDS] = [
        Field::Table,
        Field::Action,
        Field::User,
        Field::UserName,
        Field::Address,
        Field::Application,
        Field::Session,
        Field::Object,
        Field::Name,
        Field::Result,
        Field::Reason,
        Field::Device,
        Field::Place,
        Field::Target,
        Field::Owner,
        Field::Count,
        Field::Scope,
        Field::OldLabel,
        Field::NewLabel,
        Field::LabelChange,
        Field::Justification,
        Field::Destination,
        Field::Parameters,
        Field::Changes,
        Field::Facts,
        Field::Team,
        Field::Channel,
        Field::EventId,
        Field::Ingest,
        Field::Record,
    ];

    /// Name of its column.
    pub(super) fn column(self) -> String {
        format!("{self:?}")
    }
}

/// An event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event<'a> {
    /// When, in microseconds; nothing where the export does not say it.
    pub(super) time: Option<i64>,
    texts: [&'a str; FIELDS],
}

impl<'a> Event<'a> {
    /// What it says of something.
    pub(super) fn get(&self, field: Field) -> &'a str {
        self.texts[field as usize]
    }

    /// The first of these that says something.
    pub(super) fn first(&self, fields: &[Field]) -> &'a str {
        let mut said = fields.iter().map(|field| self.get(*field));
        said.find(|text| !text.is_empty()).unwrap_or_default()
    }

    /// The same event with another text for a field.
    pub(super) fn with(mut self, field: Field, text: &'a str) -> Event<'a> {
        self.texts[field as usize] = text;
        self
    }

    /// An event that says this.
    #[cfg(test)]
    pub(super) fn of(time: i64, said: &[(Field, &'a str)]) -> Event<'a> {
        let mut texts = [""; FIELDS];
        for (field, text) in said {
            texts[*field as usize] = text;
        }
        Event {
            time: Some(time),
            texts,
        }
    }
}

/// Rows of the query.
pub(super) struct Rows {
    times: PrimitiveArray<TimestampMicrosecondType>,
    texts: Vec<StringArray>,
}

impl Rows {
    /// The rows of a batch with the columns [`TIME`] and those of [`Field::ALL`], in this order.
    ///
    /// # Errors
    /// When a column is none of these, which is a fault of coldtrail.
    pub(super) fn of(batch: &RecordBatch) -> Result<Rows> {
        let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let times = cast(batch.column(0), &micros)?;
        let mut texts = Vec::with_capacity(FIELDS);
        for column in batch.columns().iter().skip(1) {
            let text = cast(column, &DataType::Utf8)?;
            texts.push(text.as_string::<i32>().clone());
        }
        Ok(Rows {
            times: times.as_primitive::<TimestampMicrosecondType>().clone(),
            texts,
        })
    }

    /// How many.
    pub(super) fn count(&self) -> usize {
        self.times.len()
    }

    /// One of them.
    pub(super) fn event(&self, row: usize) -> Event<'_> {
        let mut texts = [""; FIELDS];
        for (text, column) in texts.iter_mut().zip(&self.texts) {
            if column.is_valid(row) {
                *text = column.value(row).trim();
            }
        }
        Event {
            time: self.times.is_valid(row).then(|| self.times.value(row)),
            texts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_at_its_place() {
        for (at, field) in Field::ALL.into_iter().enumerate() {
            assert_eq!(field as usize, at, "{field:?}");
        }
        let event = Event::of(1, &[(Field::Record, "7"), (Field::User, "a@contoso.com")]);
        assert_eq!(event.first(&[Field::Object, Field::User]), "a@contoso.com");
        assert_eq!(event.get(Field::Record), "7");
        assert_eq!(event.first(&[Field::Name]), "");
    }
}
