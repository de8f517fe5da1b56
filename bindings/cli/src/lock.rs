//! Waiting for a file that another process has locked.

use crate::text::{say, shown};
use rustix::fs::{major, minor};
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::Duration;

/// Locks a file, however long that takes; a wait that can be felt is worth a line.
pub(crate) fn wait_for(file: &File, name: &str) -> io::Result<()> {
    for _ in 0..10 {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(50)),
            Err(TryLockError::Error(error)) => return Err(error),
            Ok(()) => return Ok(()),
        }
    }
    let holder = holder(file).unwrap_or_else(|| "another process".into());
    say(format_args!("waiting for {name}, which {holder} has locked"));
    file.lock()
}

/// Who has locked a file, as Linux tells.
fn holder(file: &File) -> Option<String> {
    let metadata = file.metadata().ok()?;
    let (device, inode) = (metadata.dev(), metadata.ino());
    let place = format!("{:02x}:{:02x}:{inode}", major(device), minor(device));
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let pids = locks.lines().filter_map(|line| {
        // Such as `1: FLOCK  ADVISORY  WRITE 2937 fe:00:5825111 0 EOF`; who waits for it has an arrow before `FLOCK`.
        let mut words = line.split_whitespace().skip(1);
        let (kind, pid, at) = (words.next()?, words.nth(2)?, words.next()?);
        let same_inode = at.rsplit(':').next()?.parse() == Ok(inode);
        // Some file systems give files another device than their own.
        (kind == "FLOCK" && same_inode).then_some((at == place, pid))
    });
    let (_, pid) = pids.max_by_key(|&(same_device, _)| same_device)?;
    let command = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(format!("process {pid} ({})", shown(command.trim_end())))
}
