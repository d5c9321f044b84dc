//! Saved functions from files of a folder.

use std::path::Path;

use serde_json::Value;

use crate::fault::{Error, Result};
use crate::kql::library::Saved;
use crate::kql::span::render;

/// Reads the functions of a folder and of the folders in it: `NAME.kql`, with `// parameters: a:string, b:long=1` in its first line where
/// it has some, and the YAML of ASIM's parsers and of saved searches.
///
/// # Errors
/// When a file cannot be read, or is no function.
pub fn functions(folder: &Path) -> Result<Vec<Saved>> {
    let mut all = Vec::new();
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.map_err(Error::walk(folder))?;
        let path = entry.path();
        let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        let known = matches!(extension.as_deref(), Some("kql" | "csl" | "yaml" | "yml"));
        if !entry.file_type().is_file() || !known {
            continue;
        }
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        let stem = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let unusable = |reason: String| Error::Unusable {
            path: path.to_path_buf(),
            reason,
        };
        let (names, parameters, body) = match extension.as_deref() {
            Some("yaml" | "yml") => {
                let file: Value =
                    serde_saphyr::from_str(&text).map_err(|e| unusable(e.to_string()))?;
                let Some(found) = described(&file) else {
                    continue;
                };
                found
            }
            _ => {
                let first = text.lines().next().unwrap_or_default();
                let parameters = first
                    .trim_start_matches('/')
                    .trim_start()
                    .strip_prefix("parameters:")
                    .filter(|_| first.starts_with("//"));
                (
                    vec![stem],
                    parameters.unwrap_or_default().trim().to_string(),
                    text.clone(),
                )
            }
        };
        for name in names {
            let saved = Saved::new(&name, &parameters, &body, &path.display().to_string())
                .map_err(|(faults, text)| unusable(render(&faults, &text)))?;
            all.push(saved);
        }
    }
    Ok(all)
}

/// Names, parameters and body in a YAML file; nothing where it describes no function.
fn described(file: &Value) -> Option<(Vec<String>, String, String)> {
    let text = |key: &str| file[key].as_str().map(str::to_string);
    // A saved search, in the words of its resource: it is a function where it has an alias.
    if let Some(name) = text("functionAlias") {
        let parameters = text("functionParameters").unwrap_or_default();
        return Some((vec![name], parameters, text("query")?));
    }
    let body = text("ParserQuery").or_else(|| text("FunctionQuery"))?;
    let keys = [
        "ParserName",
        "EquivalentBuiltInParser",
        "FunctionName",
        "FunctionAlias",
    ];
    let mut names: Vec<String> = keys.into_iter().filter_map(text).collect();
    names.sort();
    names.dedup();
    let parameters = match &file["ParserParams"] {
        Value::Array(list) => {
            let one = |p: &Value| {
                let (name, ty) = (p["Name"].as_str()?, p["Type"].as_str()?);
                let default = match &p["Default"] {
                    Value::Null => String::new(),
                    Value::String(text) if ty == "string" && !text.starts_with(['\'', '"']) => {
                        format!("='{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
                    }
                    Value::String(text) => format!("={text}"),
                    other => format!("={other}"),
                };
                Some(format!("{name}:{ty}{default}"))
            };
            list.iter().filter_map(one).collect::<Vec<_>>().join(", ")
        }
        _ => text("FunctionParameters").unwrap_or_default(),
    };
    Some((names, parameters, body))
}
