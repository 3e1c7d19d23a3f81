//! Who takes frames: the packet sockets of a network namespace.

use std::fs;

use super::KernelError;

/// Returns the EtherTypes of the packet sockets in the network namespace of the calling thread, one
/// for each socket.
///
/// Column 4 of `/proc/net/packet`, in hexadecimal (`packet_seq_show`, net/packet/af_packet.c).
///
/// # Errors
///
/// The kernel's refusal to show them.
pub fn packet_sockets() -> Result<Vec<u16>, KernelError> {
    let text = fs::read_to_string("/proc/thread-self/net/packet")
        .map_err(|error| KernelError::from_io(&error))?;
    Ok(ethertypes(&text))
}

fn ethertypes(text: &str) -> Vec<u16> {
    const PROTOCOL: usize = 3;
    text.lines()
        .skip(1)
        .filter_map(|line| u16::from_str_radix(line.split_whitespace().nth(PROTOCOL)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_socket_has_its_ethertype() {
        let text = "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n\
                    00000000abc 3      2    88b6   0     1 0      0      4711\n\
                    00000000abd 3      3    0003   0     1 0      0      4712\n";
        assert_eq!(ethertypes(text), [0x88b6, 0x0003]);
    }
}
