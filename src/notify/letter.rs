//! A mail as bytes: the same notice is the same bytes in each run, but for the date of one that is sent.

use std::time::{Duration, SystemTime};

use lettre::address::AddressError;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use serde::Serialize;

use super::sent::Key;
use super::template::Templates;
use crate::fault::{Error, Result};

/// The last second that the date of a mail can name, in the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;

/// A notice with what it is known by.
#[derive(Debug, Clone, PartialEq)]
pub struct Addressed<N> {
    /// Address that it goes to, in lower case.
    pub to: String,
    /// The events that it tells of, in order.
    pub keys: Vec<Key>,
    /// Time of the last of them, in microseconds since 1970.
    pub last: i64,
    /// What it tells.
    pub notice: N,
}

/// A mail, ready to be sent.
#[derive(Debug, Clone)]
pub struct Letter {
    /// What it is known by, the same in each run.
    pub id: String,
    /// access-denied, findings or label-changes.
    pub kind: &'static str,
    /// Address that it goes to.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// The events that it tells of.
    pub keys: Vec<Key>,
    /// The mail itself.
    pub message: Message,
}

impl Letter {
    /// Makes a mail of a notice.
    ///
    /// # Errors
    /// When a template does not fit the notice, or the recipient is no address.
    pub fn of<N: Serialize>(
        kind: &'static str,
        addressed: &Addressed<N>,
        sender: &Sender,
        templates: &Templates,
    ) -> Result<Letter> {
        let to = addressed.to.as_str();
        let wording = templates.word(&addressed.notice)?;
        let parts = addressed.keys.iter().map(Key::as_str);
        let id = Key::of([kind, to].into_iter().chain(parts))
            .as_str()
            .to_string();
        let address: Address = to.parse().map_err(|e: AddressError| {
            Error::Usage(format!("`{to}` is no address of mail: {e}"))
        })?;
        let part = |content_type: ContentType, body: String| {
            SinglePart::builder().header(content_type).body(body)
        };
        let parts = MultiPart::alternative()
            .boundary(format!("part-{id}"))
            .singlepart(part(ContentType::TEXT_PLAIN, wording.text))
            .singlepart(part(ContentType::TEXT_HTML, wording.html));
        let message = Message::builder()
            .from(sender.mailbox.clone())
            .to(Mailbox::new(None, address))
            .subject(wording.subject.as_str())
            .date(date(sender.date.unwrap_or(addressed.last)))
            .message_id(Some(format!("<{id}@{}>", sender.domain())))
            // Nobody's automatic answer is wanted.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".into(),
            ))
            .multipart(parts)
            .map_err(|e| Error::Usage(format!("a mail to `{to}`: {e}")))?;
        Ok(Letter {
            id,
            kind,
            to: to.to_string(),
            subject: wording.subject,
            keys: addressed.keys.clone(),
            message,
        })
    }

    /// The name of its file: the recipient, and how its id begins.
    pub fn file_name(&self) -> String {
        /// What a name has at most before the id: file systems take 255 bytes.
        const LONGEST: usize = 100;
        let plain = |c: char| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '@' | '.' | '-' => c,
            _ => '_',
        };
        let to: String = self.to.chars().take(LONGEST).map(plain).collect();
        format!("{}-{to}-{}.eml", self.kind, &self.id[..12])
    }
}

/// From whom a mail is, and of when.
#[derive(Debug, Clone)]
pub struct Sender {
    /// The address that a recipient sees.
    pub mailbox: Mailbox,
    /// The date of the mails, in microseconds since 1970: of each its last event where it is not given.
    pub date: Option<i64>,
}

impl Sender {
    /// The part of the address behind the `@`.
    pub fn domain(&self) -> &str {
        self.mailbox.email.domain()
    }
}

fn date(micros: i64) -> SystemTime {
    let seconds = micros.div_euclid(1_000_000).clamp(0, LAST_SECOND);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::denied;
    use crate::notify::template::DENIED;

    fn letter(to: &str) -> Result<Letter> {
        let addressed = Addressed {
            to: to.into(),
            keys: vec![Key::of(["a"])],
            last: 1_779_199_526_000_000,
            notice: denied::example(),
        };
        let sender = Sender {
            mailbox: "Security <security@contoso.com>"
                .parse()
                .expect("an address"),
            date: None,
        };
        let templates = Templates::load(DENIED, None, &denied::examples())?;
        Letter::of(denied::KIND, &addressed, &sender, &templates)
    }

    #[test]
    fn a_mail_has_the_same_bytes_each_time() {
        let one = letter("dave@contoso.com").expect("a mail");
        let two = letter("dave@contoso.com").expect("a mail");
        assert_eq!(one.message.formatted(), two.message.formatted());
        let text = String::from_utf8(one.message.formatted()).expect("it is ASCII");
        for line in [
            "To: dave@contoso.com\r\n",
            "Date: Tue, 19 May 2026 14:05:26 +0000\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "MIME-Version: 1.0\r\n",
            "Subject: Access denied to a document that you protected\r\n",
        ] {
            assert!(text.contains(line), "{line:?} is not in {text}");
        }
        assert!(
            text.contains(&format!("Message-ID: <{}@contoso.com>\r\n", one.id)),
            "{text}"
        );
        assert!(
            text.ends_with(&format!("--part-{}--\r\n", one.id)),
            "{text}"
        );
        assert_eq!(
            one.file_name(),
            format!("access-denied-dave@contoso.com-{}.eml", &one.id[..12])
        );
    }

    #[test]
    fn what_is_no_address_gets_no_mail() {
        for to in [
            "",
            "dave",
            "dave@",
            "a@b@c\r\nBcc: d@e.org",
            "dave@contoso.com\r\nBcc: e@f.org",
        ] {
            assert!(letter(to).is_err(), "{to}");
        }
    }

    #[test]
    fn times_that_no_date_can_name_are_the_next_that_one_can() {
        assert_eq!(date(-1), SystemTime::UNIX_EPOCH);
        assert_eq!(
            date(i64::MAX),
            SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799)
        );
    }
}
