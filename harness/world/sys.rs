//! The system calls that no safe wrapper exists for. The only `unsafe` of the crate.

#![expect(
    unsafe_code,
    reason = "fork(2), pidfd_open(2), pidfd_getfd(2), mount_setattr(2), epoll(7) by descriptor, sockaddr_ll, a socket option, a socket's namespace and tun have no safe wrapper"
)]

use std::ffi::CStr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::unistd::{ForkResult, Pid};
use tokio::io::unix::AsyncFd;

use super::tuntap::TunTap;

/// Forks the process.
///
/// # Errors
///
/// `EPERM` if the process has other threads; the kernel's refusal.
pub(super) fn fork() -> Result<ForkResult, Errno> {
    // A child of a process with threads may only call async-signal-safe functions, fork(2); ours
    // goes on to allocate. So there must be no other thread, and this is where that is made sure.
    let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    if threads != 1 {
        return Err(Errno::EPERM);
    }
    // SAFETY: the calling thread is the only one, so no lock is held by a thread that the child
    // lacks, and the child may do all that the parent may.
    unsafe { nix::unistd::fork() }
}

/// Opens a descriptor that becomes readable when the process ends, pidfd_open(2).
///
/// # Errors
///
/// `ESRCH` if there is no such process; `ENOSYS` before Linux 5.3.
pub(super) fn pidfd_open(pid: Pid) -> Result<OwnedFd, Errno> {
    // SAFETY: the call takes two integers and touches no memory of ours.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
    let fd = i32::try_from(Errno::result(result)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just made this descriptor for us, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Takes a copy of what another process has open, pidfd_getfd(2).
///
/// # Errors
///
/// `EBADF` if it has no such descriptor, or no longer; `ESRCH` if it is gone; `EPERM` if it may not be
/// looked into; `ENOSYS` before Linux 5.6.
pub(super) fn copy_descriptor(process: &OwnedFd, number: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: the call takes three integers and touches no memory of ours.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) };
    let fd = i32::try_from(Errno::result(result)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just made this descriptor for us, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Opens the network namespace that a socket is of.
///
/// # Errors
///
/// `EPERM` without CAP_NET_ADMIN over that namespace; `ENOTTY` for what is no socket.
pub(super) fn netns_of_socket(socket: &OwnedFd) -> Result<OwnedFd, Errno> {
    /// `SIOCGSKNS`, include/uapi/linux/sockios.h.
    const GET_SOCKET_NETNS: libc::Ioctl = 0x894c;
    // SAFETY: this request takes nothing and touches no memory of ours.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), GET_SOCKET_NETNS, 0) };
    let fd = Errno::result(result)?;
    // SAFETY: the kernel has just made this descriptor for us, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Makes a mount read-only, with those below it, mount_setattr(2).
///
/// # Errors
///
/// `ENOSYS` before Linux 5.12; `EBUSY` if somebody has opened a file there for writing.
pub(super) fn set_read_only(at: &CStr) -> Result<(), Errno> {
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_RDONLY,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    // SAFETY: the pointers are to a string that ends with a zero and to a whole mount_attr of the
    // length that follows; both live through the call, which reads them.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            at.as_ptr(),
            libc::AT_RECURSIVE,
            std::ptr::from_ref(&attributes),
            size_of_val(&attributes),
        )
    };
    Errno::result(result).map(drop)
}

/// Lets the end of a process be waited for without blocking.
///
/// # Errors
///
/// As for [`pidfd_open`]; the kernel's refusal to watch the descriptor.
///
/// # Panics
///
/// Outside the context of a tokio runtime that does input and output.
pub(super) fn watch_process(pid: Pid) -> std::io::Result<AsyncFd<OwnedFd>> {
    let fd = pidfd_open(pid)?;
    // SAFETY: the descriptor is open, what is returned owns it to its own end, and an `OwnedFd`
    // always is the same descriptor.
    Ok(unsafe { AsyncFd::register(fd)? })
}

/// Makes the address of an interface for an AF_PACKET socket, packet(7): frames sent to it leave
/// by that interface. A socket that is bound to it hears the frames of an EtherType, of all
/// interfaces where the index is 0; it hears nothing where the EtherType is 0.
pub(crate) fn link_address(index: i32, ethertype: u16) -> Option<nix::sys::socket::LinkAddr> {
    use nix::sys::socket::{LinkAddr, SockaddrLike as _};

    let address = libc::sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET).ok()?,
        sll_protocol: ethertype.to_be(),
        sll_ifindex: index,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: [0; 8],
    };
    let length = u32::try_from(size_of_val(&address)).ok();
    // SAFETY: the pointer is to a whole sockaddr_ll that lives through the call and whose family
    // says what it is; the call copies it.
    unsafe { LinkAddr::from_raw(std::ptr::from_ref(&address).cast(), length) }
}

/// The same of IPv6: `IPV6_MTU_DISCOVER`, ipv6(7).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ipv6MtuDiscover;

impl nix::sys::socket::SetSockOpt for Ipv6MtuDiscover {
    type Val = libc::c_int;

    fn set<F: std::os::fd::AsFd>(&self, fd: &F, value: &libc::c_int) -> Result<(), Errno> {
        set_number(fd, (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER), *value)
    }
}

/// The sockets' option that says whether packets may be cut, and whose word on the way's MTU counts:
/// `IP_MTU_DISCOVER`, ip(7).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ipv4MtuDiscover;

impl nix::sys::socket::SetSockOpt for Ipv4MtuDiscover {
    type Val = libc::c_int;

    fn set<F: std::os::fd::AsFd>(&self, fd: &F, value: &libc::c_int) -> Result<(), Errno> {
        set_number(fd, (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER), *value)
    }
}

fn set_number<F: std::os::fd::AsFd>(
    fd: &F,
    (level, option): (libc::c_int, libc::c_int),
    value: libc::c_int,
) -> Result<(), Errno> {
    let length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the pointer is to an integer of that length that lives through the call, which
    // copies it.
    let result = unsafe {
        libc::setsockopt(
            fd.as_fd().as_raw_fd(),
            level,
            option,
            std::ptr::from_ref(&value).cast(),
            length,
        )
    };
    Errno::result(result).map(drop)
}

/// Makes the descriptor, one of `/dev/net/tun`, the other end of a tun or tap device: of a new one, or
/// else of one that may be there. Packets have nothing in front of them.
///
/// # Errors
///
/// `ENAMETOOLONG`; `EBUSY` if there is such a device and a new one is wanted, or if its other end is
/// held already; `EINVAL` if the name is taken otherwise.
pub(super) fn attach_tuntap(
    device: &OwnedFd,
    name: &str,
    mode: TunTap,
    new: bool,
) -> Result<(), Errno> {
    let kind = match mode {
        TunTap::Tun => libc::IFF_TUN,
        TunTap::Tap => libc::IFF_TAP,
    };
    let exclusive = if new { libc::IFF_TUN_EXCL } else { 0 };
    let flags = kind | libc::IFF_NO_PI | exclusive;
    let mut ifr_name: [libc::c_char; libc::IFNAMSIZ] = [0; libc::IFNAMSIZ];
    if name.len() >= ifr_name.len() {
        return Err(Errno::ENAMETOOLONG);
    }
    for (to, byte) in ifr_name.iter_mut().zip(name.bytes()) {
        *to = byte.cast_signed() as libc::c_char;
    }
    let ifru_flags = flags as libc::c_short;
    let request = libc::ifreq {
        ifr_name,
        ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags },
    };
    // SAFETY: the pointer is to a whole ifreq that lives through the call; its name ends with a
    // zero, and its flags, which this request reads, are set.
    let result = unsafe {
        libc::ioctl(
            device.as_raw_fd(),
            libc::TUNSETIFF as libc::Ioctl,
            std::ptr::from_ref(&request),
        )
    };
    Errno::result(result).map(drop)
}

/// Lets a tun or tap device stay when its other end is closed.
///
/// # Errors
///
/// `EBADFD` if the descriptor has no device.
pub(super) fn keep_tuntap(device: &OwnedFd) -> Result<(), Errno> {
    let on: libc::c_ulong = 1;
    // SAFETY: this request takes a number, not a pointer.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETPERSIST as libc::Ioctl, on) };
    Errno::result(result).map(drop)
}

/// Returns the name that the device now has whose other end the descriptor is.
///
/// # Errors
///
/// `EBADFD` if it has none, or no longer.
pub(super) fn name_of_tuntap(device: &OwnedFd) -> Result<String, Errno> {
    let mut answer = libc::ifreq {
        ifr_name: [0; libc::IFNAMSIZ],
        ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: 0 },
    };
    // SAFETY: the pointer is to a whole ifreq that lives through the call, which fills it in.
    let result = unsafe {
        libc::ioctl(
            device.as_raw_fd(),
            libc::TUNGETIFF as libc::Ioctl,
            std::ptr::from_mut(&mut answer),
        )
    };
    Errno::result(result)?;
    let bytes: Vec<u8> = answer
        .ifr_name
        .iter()
        .take_while(|byte| **byte != 0)
        .map(|byte| byte.cast_unsigned())
        .collect();
    String::from_utf8(bytes).map_err(|_| Errno::EILSEQ)
}

/// Opens the network namespace that the device now is in whose other end the descriptor is.
///
/// # Errors
///
/// `EBADFD` if it has none, or no longer; `EINVAL` before Linux 5.7.
pub(super) fn netns_of_tuntap(device: &OwnedFd) -> Result<OwnedFd, Errno> {
    // SAFETY: this request takes nothing and touches no memory of ours.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNGETDEVNETNS as libc::Ioctl, 0) };
    let fd = Errno::result(result)?;
    // SAFETY: the kernel has just made this descriptor for us, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
