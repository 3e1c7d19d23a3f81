//! "Did you mean": the word of a list that is closest to a misspelt one.

/// Returns the candidate that differs from `word` by the fewest typing mistakes, if by few.
pub(crate) fn closest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // A whole line that stands where a word should is no misspelt word.
    const LONGEST: usize = 64;
    if word.len() > LONGEST {
        return None;
    }
    let lower = word.to_lowercase();
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Returns help for a word that is not in a list: the closest one, or else all of them.
pub(crate) fn help(word: &str, candidates: &[&str]) -> String {
    match closest(word, candidates.iter().copied()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None if candidates.len() == 1 => format!("only `{}` is known here", candidates.join("")),
        None => format!("write one of: {}", candidates.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::swapped("vteh", Some("veth"))]
    #[case::missing("maser", Some("master"))]
    #[case::capital("Veth", Some("veth"))]
    #[case::other_word("firewall", None)]
    #[case::empty("", None)]
    fn only_a_close_word_is_suggested(#[case] word: &str, #[case] suggested: Option<&str>) {
        assert_eq!(closest(word, ["bridge", "veth", "master", "up"]), suggested);
    }

    #[test]
    fn without_a_close_word_all_are_listed() {
        assert_eq!(
            help("x9z", &["request", "reply"]),
            "write one of: request, reply"
        );
        assert_eq!(help("colour", &["add"]), "only `add` is known here");
    }
}
