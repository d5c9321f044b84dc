//! Files form no circles: one that names another is not named by it, directly or through others.
//!
//! `use` trees and paths are read as they are written, and re-exports are followed to the file that has the item. Test modules do not count.
//! Methods and what macros make are not seen.

use std::collections::{BTreeMap, BTreeSet};

use crate::project;

/// A path from the crate: of a module, `["engine", "views"]`, or of something in it.
type Path = Vec<String>;

/// What one file says.
#[derive(Default)]
struct File {
    /// Paths as they are written, each with the module that it stands in.
    named: Vec<(Path, Path)>,
    /// The same of `use`, with the name that it gives, or `*`.
    used: Vec<(Path, Path, String)>,
    defined: BTreeSet<String>,
    imported: BTreeMap<String, Path>,
    globs: Vec<Path>,
}

/// Which of the files are named by each, and by what.
type Edges = BTreeMap<Path, BTreeMap<Path, BTreeSet<String>>>;

const TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];

#[test]
fn files_form_no_circles() {
    let mut texts = BTreeMap::new();
    for entry in walkdir::WalkDir::new(project("src")) {
        let entry = entry.expect("src can be read");
        let below = entry.path().strip_prefix(project("src"));
        let below = below.expect("below src").with_extension("");
        if entry.path().extension().is_none_or(|e| e != "rs") {
            continue;
        }
        let mut module: Path = below
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        if module.last().is_some_and(|name| name == "mod") {
            module.pop();
        }
        if !module.iter().any(|name| name == "tests") && !["lib", "main"].contains(&&*module[0]) {
            let text = std::fs::read_to_string(entry.path()).expect("source can be read");
            texts.insert(module, text);
        }
    }
    assert!(texts.len() > 100, "only {} files", texts.len());
    let found = circles(&texts);
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn circles_are_found_through_braces_re_exports_globs_and_paths() {
    let tree = |files: &[(&str, &str)]| -> BTreeMap<Path, String> {
        let path = |name: &str| name.split('/').map(String::from).collect();
        let files = files.iter();
        files
            .map(|(name, text)| (path(name), text.to_string()))
            .collect()
    };
    let base = [
        ("a", "mod low;\nmod high;\npub use low::Low;"),
        ("a/low", "pub struct Low;"),
        ("a/high", "use super::Low;\npub fn high(_: &Low) {}"),
        (
            "b",
            "use crate::a::{self, Low as L};\nfn f() { a::high::high(&L); }",
        ),
    ];
    assert_eq!(circles(&tree(&base)), Vec::<String>::new());
    for closing in [
        "pub struct Low;\nfn f() { super::high::high(&Low) }",
        "use crate::{b, a::{high::{high as other}}};\npub struct Low;",
        "use crate::a::*;\npub struct Low;\nfn f() { inner::g() }\nmod inner { fn g() { super::super::high::high() } }",
        "pub(in crate::a) struct Low;\nuse crate::b;\nfn f(_: &'static str) { b::f() }",
    ] {
        let mut files = base;
        files[1].1 = closing;
        let found = circles(&tree(&files));
        assert_eq!(found.len(), 1, "{closing}: {found:?}");
        assert!(found[0].contains("a/low -> "), "{found:?}");
    }
    for open in [
        "// super::high::high\npub struct Low;\n/* crate::b */\nconst A: &str = \"crate::b::f\";",
        "pub struct Low;\nconst R: &str = r#\"\"crate::b::f\"#;\nconst C: char = '\"';\nconst D: char = '\\'';",
        "pub struct Low;\n#[cfg(test)]\nmod tests { use super::*; use crate::b::f; }",
        "pub(in crate::b) struct Low;",
    ] {
        let mut files = base;
        files[1].1 = open;
        assert_eq!(circles(&tree(&files)), Vec::<String>::new(), "{open}");
    }
}

/// The circles of files, each with what makes it one.
fn circles(texts: &BTreeMap<Path, String>) -> Vec<String> {
    let mut files: BTreeMap<Path, File> = BTreeMap::new();
    for (module, text) in texts {
        files.insert(module.clone(), read(text, module));
    }
    // The second time with what the first has brought: `use` may begin with a name that another one gives.
    for _ in 0..2 {
        for module in texts.keys() {
            let used = files[module].used.clone();
            for (base, path, name) in used {
                let Some(path) = absolute(&base, &path, &files, &files[module]) else {
                    continue;
                };
                let file = files.get_mut(module).expect("it was put there above");
                match name.as_str() {
                    "*" => file.globs.push(path),
                    _ => _ = file.imported.insert(name, path),
                }
            }
        }
    }
    let mut edges = Edges::new();
    for (module, file) in &files {
        let named = file.named.iter();
        let named = named.filter_map(|(base, path)| absolute(base, path, &files, file));
        let own = edges.entry(module.clone()).or_default();
        for path in named.chain(file.imported.values().chain(&file.globs).cloned()) {
            if let Some(other) = home(&path, &files, &mut BTreeSet::new())
                && other != *module
            {
                own.entry(other).or_default().insert(path.join("::"));
            }
        }
    }
    let reach: BTreeMap<&Path, BTreeSet<&Path>> =
        edges.keys().map(|m| (m, from(m, &edges))).collect();
    let mut out = Vec::new();
    let mut told = BTreeSet::new();
    for (module, reached) in &reach {
        let circle: BTreeSet<&&Path> = reached
            .iter()
            .filter(|o| reach[**o].contains(*module))
            .collect();
        if circle.is_empty() || !told.insert(circle.clone()) {
            continue;
        }
        let mut lines = vec![format!("a circle of {} files:", circle.len())];
        for one in &circle {
            for (other, by) in edges[**one]
                .iter()
                .filter(|(other, _)| circle.contains(other))
            {
                let by: Vec<&str> = by.iter().map(String::as_str).collect();
                lines.push(format!(
                    "  {} -> {} ({})",
                    one.join("/"),
                    other.join("/"),
                    by.join(", ")
                ));
            }
        }
        out.push(lines.join("\n"));
    }
    out
}

/// The files that one reaches.
fn from<'e>(module: &'e Path, edges: &'e Edges) -> BTreeSet<&'e Path> {
    let mut reached = BTreeSet::new();
    let mut rest: Vec<&Path> = edges[module].keys().collect();
    while let Some(next) = rest.pop() {
        if reached.insert(next) {
            rest.extend(edges[next].keys());
        }
    }
    reached
}

/// A path that is written in a module, from the crate; nothing where it leads to other crates or to what is local.
fn absolute(base: &Path, path: &Path, files: &BTreeMap<Path, File>, file: &File) -> Option<Path> {
    let supers = path.iter().take_while(|part| *part == "super").count();
    let (begin, rest) = match path[0].as_str() {
        "crate" => (&base[..0], &path[1..]),
        "self" => (&base[..], &path[1..]),
        "super" => (&base[..base.len().checked_sub(supers)?], &path[supers..]),
        first
            if files.contains_key(&[&base[..], &path[..1]].concat())
                || file.defined.contains(first) =>
        {
            (&base[..], &path[..])
        }
        first => (&file.imported.get(first)?[..], &path[1..]),
    };
    Some([begin, rest].concat())
}

/// The file that has what a path leads to.
fn home(path: &Path, files: &BTreeMap<Path, File>, seen: &mut BTreeSet<Path>) -> Option<Path> {
    let length = (1..=path.len())
        .rev()
        .find(|n| files.contains_key(&path[..*n]))?;
    let (module, rest) = path.split_at(length);
    let file = &files[module];
    let Some((name, more)) = rest
        .split_first()
        .filter(|(name, _)| !file.defined.contains(*name))
    else {
        return Some(module.to_vec());
    };
    if !seen.insert(path.clone()) {
        return Some(module.to_vec());
    }
    if let Some(other) = file.imported.get(name) {
        return home(&[&other[..], more].concat(), files, seen).or_else(|| Some(module.to_vec()));
    }
    let mut globs = file.globs.iter().filter(|glob| {
        let other = files.get(*glob);
        other.is_some_and(|o| o.defined.contains(name) || o.imported.contains_key(name))
    });
    match globs.next() {
        Some(glob) => home(&[&glob[..], rest].concat(), files, seen),
        None => Some(module.to_vec()),
    }
}

/// What a file says.
fn read(text: &str, module: &Path) -> File {
    let tokens = tokens(text);
    let mut file = File::default();
    // Modules that are written inside of this one, with the depth at which each begins.
    let mut inner: Vec<(usize, String)> = Vec::new();
    let (mut depth, mut at) = (0, 0);
    let is = |at: usize, token: &str| tokens.get(at) == Some(&token);
    while let Some(token) = tokens.get(at) {
        let base = || {
            module
                .iter()
                .chain(inner.iter().map(|(_, name)| name))
                .cloned()
                .collect()
        };
        match *token {
            "#" if tokens[at..].starts_with(&TEST) => {
                let end = (at..tokens.len()).find(|i| is(*i, ";") || is(*i, "{"));
                at = end.map_or(tokens.len(), |end| closed(&tokens, end));
                continue;
            }
            // Who may see an item is not what it names.
            "pub" if is(at + 1, "(") => {
                at = closed(&tokens, at + 1);
                continue;
            }
            "use" if !is(at + 1, "<") => {
                let mut leaves = Vec::new();
                at = tree(&tokens, at + 1, &[], &mut leaves);
                file.used
                    .extend(leaves.into_iter().map(|(path, name)| (base(), path, name)));
                continue;
            }
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                inner.pop_if(|(began, _)| *began == depth);
            }
            "mod" if is(at + 2, "{") => inner.push((depth, tokens[at + 1].to_string())),
            "macro_rules" if depth == 0 => _ = file.defined.insert(tokens[at + 2].to_string()),
            "fn" | "struct" | "enum" | "trait" | "type" | "const" | "static" | "union"
                if depth == 0 =>
            {
                file.defined
                    .extend(tokens.get(at + 1).map(|name| name.to_string()));
            }
            word if is_word(word) && is(at + 1, "::") && !(at > 0 && is(at - 1, "::")) => {
                let mut path = vec![word.to_string()];
                while is(at + 1, "::") && tokens.get(at + 2).is_some_and(|next| is_word(next)) {
                    path.push(tokens[at + 2].to_string());
                    at += 2;
                }
                file.named.push((base(), path));
            }
            _ => {}
        }
        at += 1;
    }
    file
}

/// Behind the bracket that closes the one at this place.
fn closed(tokens: &[&str], begin: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(begin) {
        match *token {
            "{" | "(" => depth += 1,
            "}" | ")" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// The leaves of a `use` tree, each with its name here; returns where the tree ends.
fn tree(
    tokens: &[&str],
    mut at: usize,
    prefix: &[String],
    leaves: &mut Vec<(Path, String)>,
) -> usize {
    let mut path = prefix.to_vec();
    while let Some(token) = tokens.get(at) {
        at += 1;
        match *token {
            "::" => {}
            "*" => {
                leaves.push((path, "*".into()));
                return at;
            }
            "{" => {
                while tokens.get(at).is_some_and(|token| *token != "}") {
                    at = tree(tokens, at, &path, leaves);
                    at += usize::from(tokens.get(at) == Some(&","));
                }
                return at + 1;
            }
            word => {
                path.push(word.to_string());
                if tokens.get(at) == Some(&"::") {
                    continue;
                }
                if word == "self" && path.len() > 1 {
                    path.pop();
                }
                let mut name = path[path.len() - 1].clone();
                if tokens.get(at) == Some(&"as") {
                    name = tokens[at + 1].to_string();
                    at += 2;
                }
                leaves.push((path, name));
                return at;
            }
        }
    }
    at
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// Words, `::` and single characters; comments, literals and lifetimes are left out.
fn tokens(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        let word = word.unwrap_or(rest.len());
        let (length, counts) = match passed_over(rest) {
            Some(length) => (length, false),
            None if word > 0 => (word, true),
            None if rest.starts_with("::") => (2, true),
            None => (first.len_utf8(), !first.is_whitespace()),
        };
        let (token, behind) = rest.split_at(length);
        out.extend(counts.then_some(token));
        rest = behind;
    }
    out
}

/// How long the comment, literal or lifetime is that stands here.
fn passed_over(text: &str) -> Option<usize> {
    let end = |from: usize, mark: &str| {
        let found = text.get(from..).and_then(|rest| rest.find(mark));
        Some(found.map_or(text.len(), |at| from + at + mark.len()))
    };
    if text.starts_with("//") {
        return end(2, "\n");
    }
    if text.starts_with("/*") {
        return end(2, "*/");
    }
    let prefix = text.len() - text.trim_start_matches(['b', 'c']).len();
    let literal = &text[prefix.min(1)..];
    let begin = text.len() - literal.len();
    if let Some(raw) = literal.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            return end(begin + hashes + 2, &format!("\"{}", "#".repeat(hashes)));
        }
    }
    if literal.starts_with('"') {
        let mut escaped = false;
        let close = literal.char_indices().skip(1).find(|(_, c)| {
            let closes = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            closes
        });
        return Some(close.map_or(text.len(), |(at, _)| begin + at + 1));
    }
    let quoted = literal.strip_prefix('\'')?;
    let second = quoted.chars().next()?;
    if second == '\\' {
        return end(begin + 3, "'");
    }
    match quoted[second.len_utf8()..].starts_with('\'') {
        true => Some(begin + second.len_utf8() + 2),
        false => {
            let lifetime = quoted.find(|c: char| !c.is_alphanumeric() && c != '_');
            Some(begin + 1 + lifetime.unwrap_or(quoted.len()))
        }
    }
}
