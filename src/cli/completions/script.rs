//! Scripts for shells, with what clap's own do not know: words with a colon in bash, names beside files, values in PowerShell.

use clap::{Arg, Command};
use clap_complete::Shell;

use crate::cli::offered::packs;

/// The script that completes the commands of this table.
pub(super) fn of(shell: Shell, table: &Command) -> String {
    let mut built = table.clone();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut built, "coldtrail", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        Shell::Bash => bash(&script),
        Shell::Zsh => zsh(&script),
        Shell::Fish => fish(&script),
        Shell::PowerShell => power_shell(&script, &built),
        _ => script,
    }
}

/// bash takes `builtin:mip` for three words and replaces the last of them.
const WHOLE_WORDS: &str = r#"_coldtrail_whole() {
    local word="${COMP_LINE:0:COMP_POINT}"
    word="${word##*[[:space:]]}"
    if [[ "$word" != *:* || "$COMP_WORDBREAKS" != *:* ]]; then
        _coldtrail "$@"
        return
    fi
    local first=$COMP_CWORD joined="${COMP_WORDS[COMP_CWORD]}"
    while [[ ${#joined} -lt ${#word} && $first -gt 1 ]]; do
        first=$((first - 1))
        joined="${COMP_WORDS[first]}$joined"
    done
    local whole=("${COMP_WORDS[@]:0:first}" "$word")
    local COMP_WORDS=("${whole[@]}") COMP_CWORD=$first
    _coldtrail "$1" "$word" "${whole[first - 1]}"
    word="${word%"${word##*:}"}"
    COMPREPLY=("${COMPREPLY[@]#"$word"}")
}

"#;

fn bash(script: &str) -> String {
    let (function, end) = script
        .split_once("\nif [[ \"${BASH_VERSINFO[0]}\" -eq 4")
        .expect("the script ends with what is completed");
    let end = end.replace("complete -F _coldtrail ", "complete -F _coldtrail_whole ");
    format!("{function}\n{WHOLE_WORDS}if [[ \"${{BASH_VERSINFO[0]}}\" -eq 4{end}")
}

/// Offers names of packs, and files.
const RULES: &str = "_coldtrail_rules";

fn zsh(script: &str) -> String {
    let escaped: Vec<String> = packs().map(|name| name.replace(':', "\\:")).collect();
    let of_packs = format!(":({})", escaped.join(" "));
    let packs: Vec<&str> = packs().collect();
    let function = format!(
        "{RULES}() {{\n    local -a packs=({})\n    local ret=1\n    compadd -a packs && ret=0\n    _files && ret=0\n    return ret\n}}\n\n_coldtrail() {{\n",
        packs.join(" ")
    );
    let script = script.replace(&of_packs, &format!(":{RULES}"));
    script.replacen("_coldtrail() {\n", &function, 1)
}

fn fish(script: &str) -> String {
    let first = packs().next().unwrap_or_default();
    let alone = format!(" -r -f -a \"{first}\\t''");
    script.replace(&alone, &alone.replace(" -f ", " -F "))
}

/// Where clap's script lists commands and options.
const LISTS: &str = "    $completions = @(switch ($command) {";

/// What stands before it: values of the option that the word is behind. Where none fits, the shell offers files.
fn power_shell(script: &str, table: &Command) -> String {
    let mut cases = String::new();
    values_of(table, "coldtrail", &mut cases);
    let values = format!(
        "    $before = @($commandElements | Where-Object {{ $_.Extent.EndOffset -lt $cursorPosition }})
    $option = if ($before.Count) {{ $before[-1].Extent.Text }}
    $values = @(switch -CaseSensitive (\"$command $option\") {{{cases}
    }})
    if ($values.Count) {{
        return $values.Where{{ $_ -like \"$wordToComplete*\" }}.ForEach{{
            [CompletionResult]::new($_, $_, [CompletionResultType]::ParameterValue, $_)
        }}
    }}

{LISTS}"
    );
    script.replacen(LISTS, &values, 1)
}

/// A case for each option of a command, and of those below it, that has values.
fn values_of(command: &Command, named: &str, cases: &mut String) {
    for option in command.get_arguments().filter(|arg| !arg.is_positional()) {
        let values = quoted(option);
        if values.is_empty() {
            continue;
        }
        let short = option.get_short().map(|short| format!("-{short}"));
        let long = option.get_long().map(|long| format!("--{long}"));
        for spelled in short.into_iter().chain(long) {
            let values = values.join(", ");
            cases.push_str(&format!(
                "\n        '{named} {spelled}' {{ {values}; break }}"
            ));
        }
    }
    for below in command.get_subcommands() {
        values_of(below, &format!("{named};{}", below.get_name()), cases);
    }
}

fn quoted(option: &Arg) -> Vec<String> {
    let values = option.get_possible_values();
    let shown = values.iter().filter(|value| !value.is_hide_set());
    shown
        .map(|value| format!("'{}'", value.get_name()))
        .collect()
}
