//! A report in the clothes of those who hand it out: a folder with a name, a logo and a style, all of which go into the one file.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::fault::{Error, Result};
use crate::text::safe;

/// What a folder may hold, and of what form: all of it is left out where it is not there.
const FILES: [&str; 4] = ["title.txt", "style.css", "logo.svg", "logo.png"];
/// Bytes of a file at most: a report is opened by mail and phone.
const MOST: usize = 256 * 1024;
/// Characters of a name at most.
const MOST_TITLE: usize = 80;
/// What a style may not say: the file would ask for something from elsewhere, which its policy does not allow, or end the block that it stands in.
const REFUSED: [(&str, &str); 3] = [
    ("<", "a style has no `<`"),
    (
        "@import",
        "a report imports nothing: put the rules themselves here",
    ),
    (
        "url(",
        "a report asks for nothing from elsewhere: only `url(data:…)` of images works",
    ),
];

/// The clothes of a report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Brand {
    /// Who hands it out, above its pages.
    pub(super) title: Option<String>,
    /// Rules of style behind coldtrail's own.
    pub(super) style: Option<String>,
    /// The logo, as an address that is the image itself.
    pub(super) logo: Option<String>,
}

impl Brand {
    /// The clothes in a folder: `title.txt` (one line), `style.css`, and `logo.svg` or `logo.png`.
    ///
    /// # Errors
    /// When a file cannot be read, has another name, is too large or not what its name says, or a style asks for something from elsewhere.
    pub fn read(folder: &Path) -> Result<Brand> {
        refuse_others(folder)?;
        let [title, style, svg, png] = FILES.map(|name| folder.join(name));
        let svg = text(&svg)?
            .map(|text| match text.contains("<svg") {
                true => Ok(address("image/svg+xml", text.as_bytes())),
                false => Err(unusable(&svg, "no SVG: it has no `<svg`")),
            })
            .transpose()?;
        let png_bytes = bytes(&png)?;
        if svg.is_some() && png_bytes.is_some() {
            return Err(unusable(
                folder,
                "a logo is `logo.svg` or `logo.png`, not both",
            ));
        }
        let png = png_bytes
            .map(|bytes| match bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
                true => Ok(address("image/png", &bytes)),
                false => Err(unusable(&png, "no PNG by its first bytes")),
            })
            .transpose()?;
        Ok(Brand {
            title: text(&title)?.map(|text| name(&title, &text)).transpose()?,
            style: text(&style)?
                .map(|text| checked(&style, text))
                .transpose()?,
            logo: svg.or(png),
        })
    }
}

fn unusable(path: &Path, reason: impl Into<String>) -> Error {
    Error::Unusable {
        path: path.to_path_buf(),
        reason: reason.into(),
    }
}

/// A file of another name would be passed over in silence.
fn refuse_others(folder: &Path) -> Result<()> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        paths.push(entry.map_err(Error::io("read", folder))?.path());
    }
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !FILES.contains(&name.as_ref()) && !name.starts_with('.') {
            let reason = format!(
                "no part of a report is called that: they are {}",
                FILES.join(", ")
            );
            return Err(unusable(&path, reason));
        }
    }
    Ok(())
}

/// The bytes of a file; nothing where there is none.
fn bytes(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) if bytes.len() > MOST => {
            Err(unusable(path, format!("larger than {} KiB", MOST / 1024)))
        }
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io("read", path)(e)),
    }
}

fn text(path: &Path) -> Result<Option<String>> {
    let Some(bytes) = bytes(path)? else {
        return Ok(None);
    };
    let text = String::from_utf8(bytes).map_err(|_| unusable(path, "not UTF-8"))?;
    Ok(Some(text.trim_start_matches('\u{feff}').to_string()))
}

/// An address that is the thing itself.
fn address(kind: &str, bytes: &[u8]) -> String {
    format!("data:{kind};base64,{}", STANDARD.encode(bytes))
}

/// The one line of a name.
fn name(path: &Path, text: &str) -> Result<String> {
    let line = text.trim();
    match line.chars().count() {
        0 => Err(unusable(path, "it is empty")),
        n if n > MOST_TITLE => Err(unusable(
            path,
            format!("longer than {MOST_TITLE} characters"),
        )),
        _ if line.chars().any(safe::is_unsafe) => Err(unusable(
            path,
            "it is not one line of text that is seen as it is",
        )),
        _ => Ok(line.to_string()),
    }
}

fn checked(path: &Path, style: String) -> Result<String> {
    let small = style.to_ascii_lowercase();
    // What is within the file is taken out before anything else is looked for; an escape could write any of it in other letters.
    let rest = small
        .replace("url(data:", "")
        .replace("url(\"data:", "")
        .replace("url('data:", "");
    if rest.contains('\\') {
        return Err(unusable(path, "a style of a report has no `\\`"));
    }
    for (word, reason) in REFUSED {
        if let Some(at) = rest.find(word) {
            let line = rest[..at].matches('\n').count() + 1;
            return Err(unusable(path, format!("line {line}: {reason}")));
        }
    }
    Ok(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &[u8])]) -> Result<Brand> {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, bytes) in files {
            fs::write(folder.path().join(name), bytes).expect("a file");
        }
        Brand::read(folder.path())
    }

    #[test]
    fn a_folder_gives_name_style_and_logo() {
        assert_eq!(read(&[]).expect("nothing"), Brand::default());
        let brand = read(&[
            ("title.txt", "\u{feff}Contoso Security\n".as_bytes()),
            (
                "style.css",
                b":root { --link: #005a9e; } i { background: url(data:image/png;base64,AA) }",
            ),
            ("logo.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ])
        .expect("a brand");
        assert_eq!(brand.title.as_deref(), Some("Contoso Security"));
        assert!(brand.style.is_some_and(|style| style.contains("--link")));
        let logo = brand.logo.expect("a logo");
        assert!(logo.starts_with("data:image/svg+xml;base64,"), "{logo}");
    }

    #[test]
    fn what_a_report_cannot_carry_is_refused_by_name() {
        let wrong: [(&str, &[u8], &str); 10] = [
            ("Style.css.txt", b"", "no part of a report is called that"),
            (
                "style.css",
                b"a{}\n@import 'x.css';",
                "line 2: a report imports nothing",
            ),
            (
                "style.css",
                b"a { background: URL( https://contoso.com/x.png) }",
                "asks for nothing from elsewhere",
            ),
            ("style.css", b"</style><script>", "no `<`"),
            ("style.css", b"@\\69mport 'x'", "no `\\`"),
            ("logo.png", b"GIF89a", "no PNG"),
            ("logo.svg", b"<html>", "no SVG"),
            ("title.txt", b" \n", "empty"),
            ("title.txt", b"two\nlines", "one line"),
            ("title.txt", b"\xff", "not UTF-8"),
        ];
        for (file, bytes, why) in wrong {
            let said = read(&[(file, bytes)]).expect_err(file).to_string();
            assert!(said.contains(why), "{said}");
        }
        let large = vec![b' '; MOST + 1];
        let said = read(&[("style.css", &large)])
            .expect_err("large")
            .to_string();
        assert!(said.contains("larger than 256 KiB"), "{said}");
    }
}
