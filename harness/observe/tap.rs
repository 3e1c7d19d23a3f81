//! The tap of a node: one capture socket that sees the frames of all its interfaces.
//!
//! It is bound to no interface, so it hears of interfaces that come later and survives those that
//! go. Frames are read with `recvmsg`, not from a ring: a probe leaves a handful of frames in each
//! tap, which is read out after every probe, and a lost frame is noticed by the socket's own count
//! (`SO_RXQ_OVFL`) and makes the probe inconclusive.

use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType,
    recvmsg, sendto, setsockopt, socket, sockopt,
};

use super::frame::{Direction, Frame};
use crate::kernel::KernelError;
use crate::scenario::NodeName;
use crate::world::{Node, WorldError, link_address};

/// The largest frame: a 64 kB packet that segmentation offload has not cut, and its header.
const FRAME_MAX: usize = 65_550;

/// How many bytes of frames may wait in the socket; the kernel grants up to `net.core.rmem_max`.
const BUFFER: usize = 4 << 20;

/// How many frames may have waited at most: the kernel doubles the size that it is asked for, and
/// no frame counts less than this in it (socket(7), `SKB_TRUESIZE` of linux/skbuff.h).
const WAITING_MAX: usize = 2 * BUFFER / 512;

/// Why a tap cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TapError {
    /// The node cannot be entered.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The kernel refuses the socket.
    #[error("the tap of {node} failed")]
    Kernel {
        /// The node.
        node: NodeName,
        /// What the kernel said.
        #[source]
        source: KernelError,
    },
}

/// The capture socket of a node.
#[derive(Debug)]
pub(super) struct Tap {
    node: NodeName,
    socket: OwnedFd,
    /// What the kernel says of frames that it had no room for, in all.
    dropped: u32,
}

impl Tap {
    /// Opens the tap of a node.
    pub(super) fn open(node: &Node) -> Result<Self, TapError> {
        let name = node.name().clone();
        let failed = |errno: Errno| TapError::Kernel {
            node: name.clone(),
            source: errno.into(),
        };
        let socket = node
            .enter(|| {
                socket(
                    AddressFamily::Packet,
                    SockType::Raw,
                    SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
                    SockProtocol::EthAll,
                )
            })?
            .map_err(failed)?;
        setsockopt(&socket, sockopt::RcvBuf, &BUFFER).map_err(failed)?;
        setsockopt(&socket, sockopt::RxqOvfl, &1).map_err(failed)?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true).map_err(failed)?;
        Ok(Self {
            node: name,
            socket,
            dropped: 0,
        })
    }

    fn failed(&self, errno: Errno) -> TapError {
        TapError::Kernel {
            node: self.node.clone(),
            source: errno.into(),
        }
    }

    /// Hands every frame that is there to `take`; does not wait, nor run after a storm that brings
    /// new ones for as long as it is listened to.
    pub(super) fn drain(&mut self, take: &mut dyn FnMut(Frame)) -> Result<(), TapError> {
        let mut bytes = vec![0; FRAME_MAX];
        let mut control = nix::cmsg_space!(u32, libc::timespec);
        let begun = now();
        for _ in 0..WAITING_MAX {
            let mut parts = [IoSliceMut::new(&mut bytes)];
            let received = recvmsg::<LinkAddr>(
                self.socket.as_raw_fd(),
                &mut parts,
                Some(&mut control),
                MsgFlags::MSG_DONTWAIT,
            );
            let message = match received {
                Ok(message) => message,
                Err(Errno::EAGAIN) => return Ok(()),
                // ENETDOWN tells once that an interface went down; what it carried is still here.
                Err(Errno::EINTR | Errno::ENETDOWN) => continue,
                Err(errno) => return Err(self.failed(errno)),
            };
            let mut time = None;
            for part in message.cmsgs().map_err(|errno| self.failed(errno))? {
                match part {
                    ControlMessageOwned::RxqOvfl(dropped) => self.dropped = dropped,
                    // The kernel stamps late what it did not stamp in time
                    // (`__sock_recv_timestamp`, net/socket.c).
                    ControlMessageOwned::ScmTimestampns(seen) => {
                        time = Some(nanoseconds(seen.into())).filter(|time| *time < begun);
                    }
                    _ => {}
                }
            }
            let (Some(address), length) = (message.address, message.bytes) else {
                continue;
            };
            let packet_type = address.pkttype();
            take(Frame {
                node: self.node.clone(),
                link: u32::try_from(address.ifindex()).unwrap_or_default(),
                direction: if packet_type == libc::PACKET_OUTGOING {
                    Direction::Out
                } else {
                    Direction::In
                },
                for_another: packet_type == libc::PACKET_OTHERHOST,
                time,
                bytes: with_header(address.hatype(), &bytes[..length]),
            });
        }
        Ok(())
    }

    /// Returns how many frames the kernel had no room for since the tap was opened, as of the last
    /// frame read.
    pub(super) fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Sends a frame out of an interface. The tap does not see it go: a socket does not hear itself.
    pub(super) fn send(&self, link: u32, frame: &[u8]) -> Result<(), Errno> {
        let address = i32::try_from(link)
            .ok()
            .and_then(|index| link_address(index, 0))
            .ok_or(Errno::ENODEV)?;
        sendto(
            self.socket.as_raw_fd(),
            frame,
            &address,
            MsgFlags::MSG_DONTWAIT,
        )
        .map(|_| ())
    }
}

/// Puts a header of zeros in front of a packet that has none, as on a tun device, so that all that is
/// captured can be read alike.
fn with_header(hardware: u16, bytes: &[u8]) -> Vec<u8> {
    if hardware != libc::ARPHRD_NONE {
        return bytes.to_vec();
    }
    let protocol = match bytes.first().map(|first| first >> 4) {
        Some(4) => [0x08, 0x00],
        Some(6) => [0x86, 0xdd],
        _ => [0, 0],
    };
    [&[0; 12][..], &protocol, bytes].concat()
}

/// Makes the kernel stamp frames in time for as long as the socket is open: a work queue makes it
/// begin (`net_enable_timestamp`, net/core/dev.c), so the sooner it is asked for the better.
pub(super) fn timestamps() -> Option<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Inet, SockType::Datagram, flags, None).ok()?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true).ok()?;
    Some(socket)
}

/// The time since 1970; a clock that stands before it has none.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or_default()
}

/// The time since 1970 at this moment.
pub(super) fn now() -> u64 {
    nanoseconds(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default(),
    )
}

/// Sends a frame out of an interface of a node through a socket of its own, so that the tap sees
/// whether it goes: what a queue drops does not.
pub(super) fn send_through(
    node: &Node,
    link: u32,
    frame: &[u8],
) -> Result<Result<(), Errno>, WorldError> {
    node.enter(|| {
        // Protocol 0 receives nothing.
        let socket = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            None,
        )?;
        let address = i32::try_from(link)
            .ok()
            .and_then(|index| link_address(index, 0))
            .ok_or(Errno::ENODEV)?;
        sendto(socket.as_raw_fd(), frame, &address, MsgFlags::MSG_DONTWAIT).map(|_| ())
    })
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_without_a_header_gets_one() {
        let ethertype = |first: u8| with_header(libc::ARPHRD_NONE, &[first, 7])[12..].to_vec();
        assert_eq!(ethertype(0x45), [0x08, 0x00, 0x45, 7]);
        assert_eq!(ethertype(0x60), [0x86, 0xdd, 0x60, 7]);
        assert_eq!(ethertype(0x00), [0, 0, 0x00, 7]);
        assert_eq!(with_header(libc::ARPHRD_ETHER, &[0x45, 7]), [0x45, 7]);
    }
}
