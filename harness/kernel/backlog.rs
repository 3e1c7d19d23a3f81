//! The backlog of a processor: where every frame waits that one namespace of this machine sends to
//! another.

use std::fs;

use super::KernelError;

/// Returns how many frames the calling thread's processor has dropped since boot because its backlog
/// was full (`net.core.netdev_max_backlog`), whoever sent them.
///
/// Column 2 of `/proc/net/softnet_stat`, in hexadecimal; the processor is column 13, or the line
/// before Linux 5.10 (`softnet_seq_show`, net/core/net-procfs.c).
///
/// # Errors
///
/// The kernel's refusal to show it; `EIO` where the processor has no line.
pub fn dropped() -> Result<u64, KernelError> {
    let processor = nix::sched::sched_getcpu()?;
    let text = fs::read_to_string("/proc/thread-self/net/softnet_stat")
        .map_err(|error| KernelError::from_io(&error))?;
    dropped_by(processor, &text).ok_or(KernelError {
        errno: nix::errno::Errno::EIO,
        sentence: Some(format!(
            "softnet_stat has no line for processor {processor}"
        )),
    })
}

fn dropped_by(processor: usize, text: &str) -> Option<u64> {
    const DROPPED: usize = 1;
    const PROCESSOR: usize = 12;
    text.lines().enumerate().find_map(|(at, line)| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let of = match columns.get(PROCESSOR) {
            Some(number) => usize::from_str_radix(number, 16).ok()?,
            None => at,
        };
        let dropped = columns.get(DROPPED).filter(|_| of == processor)?;
        u64::from_str_radix(dropped, 16).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_the_processor_is_found() {
        let new = "a 0 0 0 0 0 0 0 0 0 0 0 00000000 0 0\nb 1f 0 0 0 0 0 0 0 0 0 0 00000003 0 0\n";
        assert_eq!(dropped_by(3, new), Some(0x1f));
        assert_eq!(dropped_by(1, new), None);
        assert_eq!(dropped_by(1, "a 0 0\nb 2 0\n"), Some(2));
    }
}
