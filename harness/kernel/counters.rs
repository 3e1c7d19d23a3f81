//! What the kernel counts of the packets of a network namespace: SNMP counters.

use std::collections::BTreeMap;
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted(BTreeMap<String, u64>);

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
            counted.take(&String::from_utf8_lossy(&bytes[..length]));
        }
        Ok(counted)
    }
}

impl Counted {
    /// Takes up either form: a line of names and one of numbers, or a name and its number in a line.
    fn take(&mut self, text: &str) {
        let mut names: Option<(&str, &str)> = None;
        for line in text.lines() {
            match line.split_once(": ") {
                Some((group, rest)) => match names.take().filter(|(of, _)| *of == group) {
                    Some((_, names)) => {
                        for (name, number) in names.split(' ').zip(rest.split(' ')) {
                            self.put(format!("{group} {name}"), number);
                        }
                    }
                    None => names = Some((group, rest)),
                },
                None => {
                    let mut words = line.split_whitespace();
                    if let (Some(name), Some(number)) = (words.next(), words.next()) {
                        self.put(name.to_owned(), number);
                    }
                }
            }
        }
    }

    fn put(&mut self, name: String, number: &str) {
        // `Tcp MaxConn` is -1.
        if let Ok(number) = number.parse() {
            self.0.insert(name, number);
        }
    }

    /// Returns by how much a counter has grown since `before`; 0 where there is none.
    pub fn since(&self, before: &Self, name: &str) -> u64 {
        let of = |counted: &Self| counted.0.get(name).copied().unwrap_or_default();
        of(self).saturating_sub(of(before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let mut before = Counted::default();
        before.take("Ip: Forwarding InAddrErrors\nIp: 2 3\nTcp: MaxConn\nTcp: -1\n");
        let mut after = Counted::default();
        after.take("Ip: Forwarding InAddrErrors\nIp: 2 5\nIp6InNoRoutes   \t4\n");
        assert_eq!(after.since(&before, "Ip InAddrErrors"), 2);
        assert_eq!(after.since(&before, "Ip6InNoRoutes"), 4);
        assert_eq!(after.since(&before, "Tcp MaxConn"), 0);
    }

    #[test]
    fn the_counters_of_this_namespace_can_be_read_twice() {
        let counters = Counters::open().unwrap();
        let first = counters.read().unwrap();
        assert!(first.0.contains_key("Ip InAddrErrors"));
        assert!(counters.read().unwrap().0.contains_key("IpExt InNoRoutes"));
    }
}
