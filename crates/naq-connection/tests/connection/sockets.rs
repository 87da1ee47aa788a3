//! Open sockets of this process, as the system lists them (Linux). Other tests run in the same
//! process, so only those to one port are counted.

use std::collections::HashSet;
use std::fs;

/// Sockets of this process that are connected, or were, to `port` of this machine.
pub(crate) fn open_to(port: u16) -> usize {
    let own: HashSet<String> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|target| {
            let target = target.to_str()?.strip_prefix("socket:[")?;
            Some(target.strip_suffix(']')?.to_owned())
        })
        .collect();
    let table = fs::read_to_string("/proc/self/net/tcp").unwrap();
    let remote_port = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|columns| columns[2].ends_with(&remote_port) && own.contains(columns[9]))
        .count()
}
