//! What a program said when it did not do what it was told: which error number that is.

use nix::errno::Errno;

use crate::kernel::KernelError;

/// What tools say in place of the sentence of an error number. iproute2 looks interfaces up by
/// itself, and where the kernel gives a sentence of its own it prints only that.
const SENTENCES: &[(&str, Errno)] = &[
    ("Cannot find device", Errno::ENODEV),
    ("Device does not exist", Errno::ENODEV),
    ("Device for nexthop is not up", Errno::ENETDOWN),
    ("Nexthop has invalid gateway", Errno::ENETUNREACH),
    ("Unknown device type", Errno::EOPNOTSUPP),
    ("mtu less than device minimum", Errno::EINVAL),
    ("IPv6 is disabled on this device", Errno::EACCES),
    ("The interface netns is immutable", Errno::EINVAL),
];

/// Reads out of what a program said which error number the kernel gave it; `EIO` where it does not
/// tell. `sentences` are what this program says, and which number each stands for.
pub(super) fn refusal(said: &str, sentences: &[(String, Errno)]) -> KernelError {
    let sentence = last_line(said);
    let own = sentences.iter().find(|(words, _)| sentence.contains(words));
    let errno = own.map(|(_, errno)| *errno);
    let errno = errno.or_else(|| errno_named(sentence));
    KernelError {
        errno: errno.unwrap_or(Errno::EIO),
        sentence: (!sentence.is_empty()).then(|| sentence.to_owned()),
    }
}

/// The last thing that a program said, without the word that it says so with.
pub(super) fn last_line(said: &str) -> &str {
    let line = said
        .lines()
        .map(str::trim)
        .rfind(|line| !line.is_empty())
        .unwrap_or_default()
        .trim_end_matches('.');
    line.strip_prefix("Error: ").unwrap_or(line)
}

fn errno_named(line: &str) -> Option<Errno> {
    const ERRNO_MAX: i32 = 133;
    let in_other_words = SENTENCES
        .iter()
        .find(|(words, _)| line.contains(words))
        .map(|(_, errno)| *errno);
    let last = line.rsplit(": ").next().unwrap_or(line);
    in_other_words.or_else(|| {
        (1..=ERRNO_MAX)
            .map(Errno::from_raw)
            .find(|errno| KernelError::from_errno(*errno).errno_sentence() == last)
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::netlink("RTNETLINK answers: File exists\n", Errno::EEXIST)]
    #[case::file(
        "Cannot create namespace file \"/run/netns/web\": File exists\n",
        Errno::EEXIST
    )]
    #[case::lookup("Cannot find device \"br9\"\n", Errno::ENODEV)]
    #[case::argument(
        "Error: argument \"br9\" is wrong: Device does not exist\n\n",
        Errno::ENODEV
    )]
    #[case::only_the_kernels_sentence("Error: Device for nexthop is not up.\n", Errno::ENETDOWN)]
    #[case::kept_where_it_is("Error: The interface netns is immutable.\n", Errno::EINVAL)]
    #[case::something_else("usage: ip ...\n", Errno::EIO)]
    #[case::nothing("", Errno::EIO)]
    fn the_error_number_is_read_out_of_what_a_tool_says(#[case] said: &str, #[case] errno: Errno) {
        assert_eq!(refusal(said, &[]).errno, errno);
    }

    #[test]
    fn the_kernels_sentence_is_kept() {
        let refused = refusal("Error: Device for nexthop is not up.\n", &[]);
        assert!(refused.is("Network is down") && refused.is("Device for nexthop is not up"));
    }
}
