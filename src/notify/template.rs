//! What a mail says: a subject, a text and the same in HTML, each a template that names fields of a notice and nothing else.
//!
//! A template is read, and tried on examples that have every field and hardly any, before any notice is made; the mails of a run are all made before the first is sent. A
//! template that names what a notice has not is an error then, never an empty place in a mail.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use serde::Serialize;
use serde_json::Value;

use crate::fault::{Error, Result};

/// Steps that a template may take: a digest of hundreds of findings takes less than a hundredth of it, one that repeats itself without end is ended.
const STEPS: u64 = 50_000_000;

/// The files of a folder of templates.
pub const FILES: [&str; 3] = ["subject.txt", "body.txt", "body.html"];

/// The built-in templates of a kind of notice, in the order of [`FILES`].
#[derive(Debug, Clone, Copy)]
pub struct BuiltIn(pub [&'static str; 3]);

/// The templates of [`denied`](super::denied).
pub const DENIED: BuiltIn = BuiltIn([
    include_str!("templates/access-denied.subject.txt"),
    include_str!("templates/access-denied.txt"),
    include_str!("templates/access-denied.html"),
]);
/// The templates of [`found`](super::found).
pub const FOUND: BuiltIn = BuiltIn([
    include_str!("templates/findings.subject.txt"),
    include_str!("templates/findings.txt"),
    include_str!("templates/findings.html"),
]);
/// The templates of [`lowered`](super::lowered).
pub const LOWERED: BuiltIn = BuiltIn([
    include_str!("templates/label-changes.subject.txt"),
    include_str!("templates/label-changes.txt"),
    include_str!("templates/label-changes.html"),
]);

/// The same for changes of all people, which somebody gets who is not their manager.
pub const LOWERED_BY_ALL: BuiltIn = BuiltIn([
    include_str!("templates/label-changes-all.subject.txt"),
    include_str!("templates/label-changes-all.txt"),
    include_str!("templates/label-changes-all.html"),
]);

/// What a notice reads like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    /// One line.
    pub subject: String,
    /// The mail as text.
    pub text: String,
    /// The mail in HTML.
    pub html: String,
}

/// The templates of a run.
pub struct Templates {
    environment: Environment<'static>,
    folder: Option<PathBuf>,
    /// The fields of a notice, for people.
    fields: String,
}

impl Templates {
    /// The templates of a folder, built-in ones in the place of those that it does not have; tried on an example with everything in it and on one
    /// with as little as there can be.
    ///
    /// # Errors
    /// When a file cannot be read, is none of [`FILES`], is no template, or names something that a notice has not.
    pub fn load(
        built_in: BuiltIn,
        folder: Option<&Path>,
        examples: &[impl Serialize; 2],
    ) -> Result<Templates> {
        let mut environment = Environment::new();
        environment.set_fuel(Some(STEPS));
        environment.set_auto_escape_callback(|name| match name.ends_with(".html") {
            true => AutoEscape::Html,
            false => AutoEscape::None,
        });
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        if let Some(folder) = folder {
            refuse_others(folder)?;
        }
        let (mut names, mut roots) = (Vec::new(), BTreeSet::new());
        let fields = serde_json::to_value(&examples[0]).expect("the fields of a notice are JSON");
        roots.extend(
            fields
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, _)| name.clone()),
        );
        list("", &fields, &mut names);
        let mut templates = Templates {
            environment,
            folder: folder.map(Path::to_path_buf),
            fields: names.join(", "),
        };
        for (name, built_in) in FILES.into_iter().zip(built_in.0) {
            let text = templates.text(name, built_in)?;
            let added = templates.environment.add_template_owned(name, text);
            added.map_err(|e| templates.wrong(name, &e))?;
            templates.refuse_unknown(name, &roots)?;
        }
        for example in examples {
            templates.word(example)?;
        }
        Ok(templates)
    }

    fn text(&self, name: &str, built_in: &str) -> Result<String> {
        let Some(path) = self.folder.as_ref().map(|folder| folder.join(name)) else {
            return Ok(built_in.to_string());
        };
        match fs::read(&path) {
            Ok(bytes) => String::from_utf8(bytes).map_err(|_| Error::Unusable {
                path,
                reason: "not UTF-8".into(),
            }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(built_in.to_string()),
            Err(e) => Err(Error::io("read", &path)(e)),
        }
    }

    /// What stands in a branch that the example does not reach is looked at here.
    fn refuse_unknown(&self, name: &str, roots: &BTreeSet<String>) -> Result<()> {
        let template = self.environment.get_template(name);
        let template = template.map_err(|e| self.wrong(name, &e))?;
        let mut unknown: Vec<String> = template
            .undeclared_variables(false)
            .into_iter()
            .filter(|named| !roots.contains(named) && !FUNCTIONS.contains(&named.as_str()))
            .collect();
        unknown.sort();
        match unknown.first() {
            None => Ok(()),
            Some(named) => Err(self.unusable(
                name,
                format!(
                    "it names `{named}`, which a notice has not; it has {}",
                    self.fields
                ),
            )),
        }
    }

    /// What a notice reads like.
    ///
    /// # Errors
    /// When a template names something that the notice has not, or cannot do with it what it wants.
    pub fn word(&self, notice: &impl Serialize) -> Result<Wording> {
        let render = |name: &str| {
            let template = self.environment.get_template(name);
            let text = template.and_then(|template| template.render(notice));
            text.map_err(|e| self.wrong(name, &e))
        };
        let [subject, text, html] = FILES;
        let subject = render(subject)?;
        let subject: Vec<&str> = subject.split_whitespace().collect();
        Ok(Wording {
            subject: cut(subject.join(" ")),
            text: tidy(&render(text)?),
            html: tidy(&render(html)?),
        })
    }

    fn wrong(&self, name: &str, error: &minijinja::Error) -> Error {
        let line = error
            .line()
            .map_or(String::new(), |line| format!("line {line}: "));
        let why = match error.kind() {
            ErrorKind::UndefinedError => {
                format!(
                    "it names something that a notice has not; it has {}",
                    self.fields
                )
            }
            kind => match error.detail() {
                Some(detail) => format!("{kind}: {detail}"),
                None => kind.to_string(),
            },
        };
        self.unusable(name, format!("{line}{why}"))
    }

    fn unusable(&self, name: &str, reason: String) -> Error {
        let path = match &self.folder {
            Some(folder) => folder.join(name),
            None => PathBuf::from(name),
        };
        Error::Unusable { path, reason }
    }
}

/// What a subject has at most, in characters: a line of a mail has 998 bytes, and a word of it stands on one line.
const LONGEST_SUBJECT: usize = 200;

fn cut(mut subject: String) -> String {
    let end = subject.char_indices().nth(LONGEST_SUBJECT);
    if let Some(at) = end.map(|(at, _)| at) {
        subject.truncate(at);
        subject.push('…');
    }
    subject
}

/// Functions of the template language; the names of a notice are no functions.
const FUNCTIONS: [&str; 3] = ["range", "dict", "namespace"];

/// A file of another name would be passed over in silence.
fn refuse_others(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let entry = entry.map_err(Error::io("read", folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !FILES.contains(&name.as_str()) && !name.starts_with('.') {
            return Err(Error::Unusable {
                path: entry.path(),
                reason: format!("no template is called that: they are {}", FILES.join(", ")),
            });
        }
    }
    Ok(())
}

/// Names of fields, those of lists as `documents[].name`.
fn list(above: &str, value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if above.is_empty() { "" } else { "." };
                list(&format!("{above}{dot}{name}"), value, names);
            }
        }
        Value::Array(items) if items.first().is_some_and(Value::is_object) => {
            list(&format!("{above}[]"), &items[0], names);
        }
        _ => names.push(format!("`{above}`")),
    }
}

/// The text with one empty line where there are several, and one end of line at its end.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.lines().map(str::trim_end) {
        match line.is_empty() {
            true => empty += 1,
            false => {
                if empty > 0 && !out.is_empty() {
                    out.push('\n');
                }
                out.push_str(line);
                out.push('\n');
                empty = 0;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::{denied, found, lowered};

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("a file");
        }
        folder
    }

    fn why(files: &[(&str, &str)]) -> String {
        let folder = folder(files);
        let loaded = Templates::load(DENIED, Some(folder.path()), &denied::examples());
        match loaded {
            Ok(_) => panic!("{files:?} is taken"),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn built_in_templates_fit_their_notices() {
        let denied = Templates::load(DENIED, None, &denied::examples()).expect("it fits");
        let wording = denied.word(&denied::example()).expect("it fits");
        assert_eq!(
            wording.subject,
            "Access denied to a document that you protected"
        );
        assert!(
            wording
                .text
                .contains("\n  - somebody@example.org (Somebody): denied 2 times, "),
            "{}",
            wording.text
        );
        assert!(wording.html.ends_with("</html>\n"), "{}", wording.html);
        Templates::load(FOUND, None, &found::examples()).expect("it fits");
        Templates::load(LOWERED, None, &lowered::examples()).expect("it fits");
    }

    #[test]
    fn a_template_can_name_nothing_else() {
        for name in [
            "address",
            "IPAddress",
            "device",
            "session",
            "trace.address",
            "env",
            "denials[0].ip",
        ] {
            let text = format!("{{{{ {name} }}}}");
            let why = why(&[("body.txt", &text)]);
            assert!(why.contains("a notice has not; it has `owner`"), "{why}");
        }
        // In a branch that no example reaches, and of a thing that each document is.
        let hidden = "{% if attempts > 1000000 %}{{ address }}{% endif %}";
        assert!(why(&[("body.html", hidden)]).contains("`address`"));
        for inner in ["document.address", "document.denied[0].device"] {
            let text = format!("{{% for document in documents %}}{{{{ {inner} }}}}{{% endfor %}}");
            assert!(
                why(&[("body.txt", &text)]).contains("a notice has not"),
                "{inner}"
            );
        }
    }

    #[test]
    fn a_template_is_tried_on_what_has_hardly_any_field_too() {
        for text in [
            "{% for d in documents %}{% if not d.label %}{{ d.addres }}{% endif %}{% endfor %}",
            "{% if attempts == 1 %}{{ documents[0].adress }}{% endif %}",
            "{% for d in documents %}{{ d.protected_since.shown }}{% endfor %}",
        ] {
            assert!(
                why(&[("body.txt", text)]).contains("a notice has not"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_subject_has_an_end() {
        let long = folder(&[("subject.txt", &"\u{e9}".repeat(5000))]);
        let templates = Templates::load(DENIED, Some(long.path()), &denied::examples());
        let wording = templates.and_then(|t| t.word(&denied::example()));
        let subject = wording.expect("it fits").subject;
        assert_eq!(subject.chars().count(), LONGEST_SUBJECT + 1);
        assert!(subject.ends_with("\u{e9}…"));
    }

    #[test]
    fn what_is_no_template_is_told_before_anything_is_made() {
        assert!(why(&[("body.txt", "{% for %}")]).contains("line 1"));
        assert!(why(&[("body.htm", "")]).contains("subject.txt, body.txt, body.html"));
        assert!(why(&[("body.txt", "{% include 'secret' %}")]).contains("body.txt"));
    }

    #[test]
    fn html_is_escaped_and_a_subject_is_one_line() {
        let folder = folder(&[
            ("subject.txt", "a\n{{ documents[0].name }}\r\nBcc: b"),
            ("body.html", "{{ documents[0].name }}"),
            ("body.txt", "{{ documents[0].name }}"),
        ]);
        let templates = Templates::load(DENIED, Some(folder.path()), &denied::examples());
        let templates = templates.expect("templates");
        let mut notice = serde_json::to_value(denied::example()).expect("it is JSON");
        notice["documents"][0]["name"] = "<b>&".into();
        let wording = templates.word(&notice).expect("it fits");
        assert_eq!(wording.subject, "a <b>& Bcc: b");
        assert_eq!(wording.html, "&lt;b&gt;&amp;\n");
        assert_eq!(wording.text, "<b>&\n");
    }
}
