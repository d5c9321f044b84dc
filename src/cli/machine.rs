//! What this machine has to give.

use std::path::PathBuf;

use crate::engine::memory;
use crate::storage;

/// Of the machine's memory, so many percent are for queries: what is on its way between operators is not counted, and others live here too.
pub(super) const SHARE: u64 = 60;

/// With less memory, in bytes, even small sorts fail.
pub(super) const LEAST_MEMORY: usize = 16 << 20;

/// Memory for queries where none is given: a share of the machine's, or of what its containers and services leave to this process.
pub(super) fn memory() -> usize {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let all = match system.total_memory() {
        0 => return memory::DEFAULT,
        all => all,
    };
    let container = system.cgroup_limits().map(|limits| limits.total_memory);
    let group = std::fs::read_to_string("/proc/self/cgroup").ok();
    let own = group.and_then(|text| group_limit(&text));
    let limits = [container, own].into_iter().flatten();
    share(limits.fold(all, u64::min))
}

/// The variable that names the folder for what is kept of archives in object storage.
const CACHE: &str = "COLDTRAIL_CACHE";
/// Of their Parquet files, so many bytes are kept.
const CACHE_BYTES: u64 = 10 << 30;

/// Where object storage finds credentials, and where what is read of it is kept: for a while in this folder, where one is named.
pub(super) fn storage(temporary: Option<PathBuf>) -> storage::Settings {
    let folder = |variable: &str| {
        let named = std::env::var_os(variable).filter(|named| !named.is_empty());
        named.map(PathBuf::from)
    };
    let user = match cfg!(windows) {
        true => folder("LOCALAPPDATA"),
        false => folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache"))),
    };
    let user = user.unwrap_or_else(std::env::temp_dir).join("coldtrail");
    storage::Settings {
        cache: folder(CACHE).unwrap_or(user),
        cache_bytes: CACHE_BYTES,
        temporary,
        // A variable that is no text is none of a provider's.
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
    }
}

/// The least that the groups of this process may take, where they are named and have limits.
fn group_limit(groups: &str) -> Option<u64> {
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let folders = std::path::Path::new("/sys/fs/cgroup").join(own);
    let below = folders
        .ancestors()
        .take_while(|folder| folder.starts_with("/sys/fs/cgroup"));
    // `max` is no number, and the topmost group has none.
    below
        .filter_map(|folder| std::fs::read_to_string(folder.join("memory.max")).ok())
        .filter_map(|text| text.trim().parse().ok())
        .min()
}

fn share(bytes: u64) -> usize {
    let bytes = usize::try_from(bytes / 100 * SHARE).unwrap_or(usize::MAX);
    bytes.max(LEAST_MEMORY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_take_a_share_and_never_nothing() {
        assert_eq!(share(1_000_000_000), 600_000_000);
        assert_eq!(share(0), LEAST_MEMORY);
        assert!(memory() >= LEAST_MEMORY);
        assert_eq!(group_limit("12:memory:/x\n"), None);
    }
}
