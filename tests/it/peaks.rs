//! The most memory that a process had.

/// In KiB, so far; 0 where the system does not say (it is Linux that does), and before the process has become the command.
///
/// Until then it shares the memory of the process that starts it, which is these tests: more than any command may take.
pub(crate) fn kib(process: u32) -> u64 {
    let of = |what: &str| format!("/proc/{process}/{what}");
    // Asked first: what is the command now does not become these tests again.
    let is_the_command = std::fs::read_link(of("exe")).is_ok_and(|exe| {
        let command = std::fs::canonicalize(env!("CARGO_BIN_EXE_coldtrail"));
        command.is_ok_and(|command| command == exe)
    });
    if !is_the_command {
        return 0;
    }
    let status = std::fs::read_to_string(of("status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    number.and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

#[cfg(target_os = "linux")]
#[test]
fn only_the_command_is_measured() {
    // These tests are another program, however much memory they have.
    assert_eq!(kib(std::process::id()), 0);
}
