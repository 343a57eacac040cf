//! [`Holder`]: who listens on a port that is taken. Linux only; elsewhere nobody is found.

use std::{fmt, fs, net::SocketAddr};

/// A process that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Its number.
    pub pid: u32,
    /// Its command, in short.
    pub command: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = if self.pid == std::process::id() {
            ", which is this process"
        } else {
            ""
        };
        write!(f, "{} (process {}{own})", self.command, self.pid)
    }
}

/// Who listens on a port. `None` if that cannot be found out: processes of others show their
/// files to nobody.
pub(super) fn of(address: SocketAddr) -> Option<Holder> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    let inodes: Vec<String> = tables
        .iter()
        .flatten()
        .flat_map(|table| listening(table, address.port()))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    if inodes.is_empty() {
        return None;
    }
    let processes = fs::read_dir("/proc").ok()?.flatten();
    processes
        .filter_map(|process| process.file_name().to_str()?.parse::<u32>().ok())
        .find(|pid| {
            let files = fs::read_dir(format!("/proc/{pid}/fd"))
                .into_iter()
                .flatten();
            files
                .flatten()
                .filter_map(|file| fs::read_link(file.path()).ok())
                .any(|to| inodes.iter().any(|inode| to.as_os_str() == inode.as_str()))
        })
        .map(|pid| {
            let command = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            Holder {
                pid,
                command: command.trim().to_owned(),
            }
        })
}

/// The inodes of the sockets in a table of the kernel that listen on a port.
fn listening(table: &str, port: u16) -> impl Iterator<Item = &str> {
    // Columns: number, local address, remote address, state, ..., inode the tenth.
    table.lines().skip(1).filter_map(move |line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let (_, local) = columns.get(1)?.rsplit_once(':')?;
        let listens = *columns.get(3)? == "0A";
        let same = u16::from_str_radix(local, 16).ok()? == port;
        (listens && same).then(|| columns.get(9).copied()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0\n\
             1: 0100007F:1F90 0100007F:C000 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0 100 0 0 10 0\n\
             2: nonsense\n";
        assert_eq!(listening(table, 8_080).collect::<Vec<_>>(), ["4711"]);
        assert_eq!(listening(table, 8_081).count(), 0);
    }
}
