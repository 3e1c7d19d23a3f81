//! What the kernel said when it refused.

use std::fmt;

use nix::errno::Errno;

/// A refusal of the kernel: its error number, and its own sentence where it gave one.
///
/// The sentence comes from the extended acknowledgement of netlink (`NLMSGERR_ATTR_MSG`,
/// linux/netlink.h) and says more than the number: `Nexthop has invalid gateway` beside
/// `Network is unreachable`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelError {
    /// The error number, errno(3).
    pub errno: Errno,
    /// The kernel's sentence, without a full stop.
    pub sentence: Option<String>,
}

impl KernelError {
    /// Makes an error from a number alone.
    pub fn from_errno(errno: Errno) -> Self {
        Self {
            errno,
            sentence: None,
        }
    }

    /// Makes an error from one of the standard library; `EIO` where that carries no number.
    pub fn from_io(error: &std::io::Error) -> Self {
        Self::from_errno(error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))
    }

    /// Returns the C library's sentence for the error number, such as `No such device`: what `ip`
    /// prints.
    pub fn errno_sentence(&self) -> String {
        let text = std::io::Error::from_raw_os_error(self.errno as i32).to_string();
        // The standard library adds the number.
        text.rsplit_once(" (os error")
            .map_or(text.clone(), |(sentence, _)| sentence.to_owned())
    }

    /// Tells whether `reason` is one of the two sentences, without regard to case.
    pub fn is(&self, reason: &str) -> bool {
        let same = |text: &str| {
            text.trim_end_matches('.')
                .eq_ignore_ascii_case(reason.trim_end_matches('.'))
        };
        same(&self.errno_sentence()) || self.sentence.as_deref().is_some_and(same)
    }

    /// Tells whether the machine has run out of something, as opposed to refusing it.
    pub fn is_exhaustion(&self) -> bool {
        matches!(
            self.errno,
            Errno::EMFILE
                | Errno::ENFILE
                | Errno::ENOMEM
                | Errno::ENOSPC
                | Errno::EDQUOT
                | Errno::EAGAIN
        )
    }

    /// Tells whether the kernel lacks what was asked for, as opposed to refusing it.
    pub fn is_unsupported(&self) -> bool {
        matches!(
            self.errno,
            Errno::EOPNOTSUPP | Errno::EPROTONOSUPPORT | Errno::EAFNOSUPPORT | Errno::ENOSYS
        )
    }
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sentence {
            Some(sentence) => write!(f, "{sentence} ({})", self.errno_sentence()),
            None => f.write_str(&self.errno_sentence()),
        }
    }
}

impl std::error::Error for KernelError {}

impl From<Errno> for KernelError {
    fn from(errno: Errno) -> Self {
        Self::from_errno(errno)
    }
}

/// Reads the sentence out of the attributes behind an error message.
///
/// `header` is the payload of `NLMSG_ERROR` behind the number, on a socket with `NETLINK_EXT_ACK`
/// and `NETLINK_CAP_ACK`: the 16 bytes of the header that was refused, then the attributes.
/// Attribute 1 is the sentence (linux/netlink.h, `enum nlmsgerr_attrs`).
pub(crate) fn sentence_of(header: &[u8]) -> Option<String> {
    const REFUSED_HEADER: usize = 16;
    const ATTRIBUTE_HEADER: usize = 4;
    const NLMSGERR_ATTR_MSG: u16 = 1;
    const TYPE_MASK: u16 = 0x3fff;

    let mut rest = header.get(REFUSED_HEADER..)?;
    while rest.len() >= ATTRIBUTE_HEADER {
        let length = usize::from(u16::from_ne_bytes([rest[0], rest[1]]));
        let kind = u16::from_ne_bytes([rest[2], rest[3]]) & TYPE_MASK;
        let value = rest.get(ATTRIBUTE_HEADER..length)?;
        if kind == NLMSGERR_ATTR_MSG {
            let text = value.split(|byte| *byte == 0).next()?;
            return Some(
                String::from_utf8_lossy(text)
                    .trim_end_matches('.')
                    .to_owned(),
            );
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0; 16];
        for (kind, value) in attributes {
            bytes.extend(u16::try_from(value.len() + 4).unwrap().to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(*value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    #[test]
    fn the_sentence_is_found_behind_other_attributes() {
        let bytes = refused(&[(2, &[1, 0, 0, 0]), (1, b"Nexthop has invalid gateway\0")]);
        assert_eq!(
            sentence_of(&bytes).as_deref(),
            Some("Nexthop has invalid gateway")
        );
    }

    #[test]
    fn no_sentence_and_broken_lengths_are_no_sentence() {
        assert_eq!(sentence_of(&[]), None);
        assert_eq!(sentence_of(&refused(&[(2, &[1, 0, 0, 0])])), None);
        assert_eq!(sentence_of(&[&[0; 16][..], &[200, 0, 1, 0]].concat()), None);
        assert_eq!(sentence_of(&[&[0; 16][..], &[0, 0, 1, 0]].concat()), None);
    }

    #[test]
    fn the_sentence_of_a_number_is_what_ip_prints() {
        let sentence = |errno| KernelError::from_errno(errno).errno_sentence();
        assert_eq!(sentence(Errno::ENODEV), "No such device");
        assert_eq!(sentence(Errno::ENETUNREACH), "Network is unreachable");
        assert_eq!(sentence(Errno::ELOOP), "Too many levels of symbolic links");
    }

    #[test]
    fn a_reason_may_be_either_sentence() {
        let error = KernelError {
            errno: Errno::ENETUNREACH,
            sentence: Some("Nexthop has invalid gateway".into()),
        };
        assert!(error.is("network is unreachable") && error.is("Nexthop has invalid gateway."));
        assert!(!error.is("No such device"));
    }
}
