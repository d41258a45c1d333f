//! What hubs and guards need of the machine: files that are closed to others, and room on the disk.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::Findings;

/// Below this much a store may not be able to write its next commits.
const FREE_BYTES_MIN: u64 = 1 << 30;
/// Below this part, and this much, it is time to think of it.
const FREE_PERCENT_MIN: u64 = 10;
const FREE_BYTES_ENOUGH: u64 = 50 << 30;

/// Whether a secret is there and closed to everybody but its owner.
pub(super) fn look_at_secret(path: &Path, found: &mut Findings) {
    const SUBJECT: &str = "secrets";
    let shown = path.display();
    match fs::metadata(path) {
        Ok(meta) if meta.permissions().mode() & 0o077 != 0 => {
            let mode = meta.permissions().mode() & 0o777;
            let remedy = format!(
                "chmod {} {shown}; if others could look, count it as known",
                if meta.is_dir() { "700" } else { "600" }
            );
            found.fault(SUBJECT, format!("`{shown}` has mode {mode:o}: others may look into it"), remedy);
        }
        Ok(_) => found.ok(SUBJECT, format!("`{shown}` is closed to others")),
        Err(error) => {
            found.fault(
                SUBJECT,
                format!("`{shown}` cannot be looked at: {error}"),
                "run this as the user that runs the program",
            );
        }
    }
}

/// How much room is left where `dir` lies.
pub(super) fn look_at_disk(dir: &Path, found: &mut Findings) {
    const SUBJECT: &str = "disk";
    let shown = dir.display();
    match rustix::fs::statvfs(dir) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let percent = disk.f_bavail.saturating_mul(100).checked_div(disk.f_blocks).unwrap_or(100);
            let told = format!("{} MiB free ({percent} %) where `{shown}` lies", free >> 20);
            let remedy =
                "make room or move the directory; a store that cannot write stops publishing and reading";
            if free < FREE_BYTES_MIN {
                found.fault(SUBJECT, told, remedy);
            } else if percent < FREE_PERCENT_MIN && free < FREE_BYTES_ENOUGH {
                found.attention(SUBJECT, told, remedy);
            } else {
                found.ok(SUBJECT, told);
            }
        }
        Err(error) => {
            found.fault(
                SUBJECT,
                format!("the disk of `{shown}` does not answer: {error}"),
                "look at the mount",
            );
        }
    }
}
