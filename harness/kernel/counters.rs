//! What the kernel counts of the packets of a network namespace: SNMP counters.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::KernelError;

/// Where the counters of the calling thread's network namespace are, proc_pid_net(5). A file that
/// is open stays with its namespace.
const FILES: [&str; 3] = [
    "/proc/thread-self/net/snmp",
    "/proc/thread-self/net/netstat",
    "/proc/thread-self/net/snmp6",
];

/// More than each file has; in bytes.
const SIZE_MAX: usize = 32 << 10;

/// The counters of one network namespace, ready to be read again and again.
#[derive(Debug)]
pub struct Counters {
    files: Vec<File>,
}

/// The counters at one moment: `Ip InAddrErrors`, `IpExt InNoRoutes`, `Ip6InAddrErrors`.
///
/// They are kept as the kernel writes them: every node's are read around every probe, and few are
/// ever looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted(Vec<String>);

impl Counters {
    /// Opens the counters of the calling thread's network namespace. A kernel without IPv6 has none
    /// of IPv6.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn open() -> Result<Self, KernelError> {
        let mut files = Vec::new();
        for path in FILES {
            match File::open(path) {
                Ok(file) => files.push(file),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(KernelError::from_io(&error)),
            }
        }
        Ok(Self { files })
    }

    /// Reads all counters.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn read(&self) -> Result<Counted, KernelError> {
        let mut counted = Counted::default();
        let mut bytes = vec![0; SIZE_MAX];
        for file in &self.files {
            let mut length = 0;
            loop {
                let read = file
                    .read_at(&mut bytes[length..], length as u64)
                    .map_err(|error| KernelError::from_io(&error))?;
                length += read;
                if read == 0 || length == bytes.len() {
                    break;
                }
            }
            counted
                .0
                .push(String::from_utf8_lossy(&bytes[..length]).into_owned());
        }
        Ok(counted)
    }
}

impl Counted {
    /// Returns by how much a counter has grown since `before`; 0 where there is none.
    pub fn since(&self, before: &Self, name: &str) -> u64 {
        let of = |counted: &Self| counted.get(name).unwrap_or_default();
        of(self).saturating_sub(of(before))
    }

    fn get(&self, name: &str) -> Option<u64> {
        let mut texts = self.0.iter();
        // `Tcp MaxConn` is -1.
        texts.find_map(|text| number_in(text, name)?.parse().ok())
    }
}

/// Finds a counter in either form: a line of names and one of numbers, both behind the name of their
/// group; or a name and its number in a line.
fn number_in<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let Some((group, name)) = name.split_once(' ') else {
        let mut lines = text.lines().map(str::split_whitespace);
        return lines.find_map(|mut words| words.next().filter(|it| *it == name).and(words.next()));
    };
    let mut lines = text
        .lines()
        .filter_map(|line| line.strip_prefix(group)?.strip_prefix(": "));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let at = names.split(' ').position(|it| it == name)?;
    numbers.split(' ').nth(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let counted = |texts: &[&str]| Counted(texts.iter().map(ToString::to_string).collect());
        let before = counted(&["Ip: Forwarding InAddrErrors\nIp: 2 3\nTcp: MaxConn\nTcp: -1\n"]);
        let after = counted(&[
            "Ip: Forwarding InAddrErrors\nIp: 2 5\n",
            "Ip6InNoRoutesNot 7\nIp6InNoRoutes   \t4\n",
        ]);
        assert_eq!(after.since(&before, "Ip InAddrErrors"), 2);
        assert_eq!(after.since(&before, "Ip6InNoRoutes"), 4);
        assert_eq!(after.since(&before, "Tcp MaxConn"), 0);
        assert_eq!(after.since(&before, "IpExt InNoRoutes"), 0);
    }

    #[test]
    fn the_counters_of_this_namespace_can_be_read_twice() {
        let counters = Counters::open().unwrap();
        let first = counters.read().unwrap();
        assert!(first.get("Ip InAddrErrors").is_some());
        let second = counters.read().unwrap();
        assert!(second.get("IpExt InNoRoutes").is_some());
    }
}
