//! A snapshot against its recorded file.

use similar::TextDiff;

/// How a snapshot compares with its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// They are the same.
    Same,
    /// There is no file.
    Missing,
    /// They differ.
    Different {
        /// The difference, recorded lines with `-` and new ones with `+`.
        diff: String,
    },
}

/// Compares what was observed with the text of an insta file, if there is one.
pub fn compare(recorded: Option<&str>, observed: &str) -> Comparison {
    let Some(recorded) = recorded else {
        return Comparison::Missing;
    };
    let (recorded, observed) = (content_of(recorded).trim_end(), observed.trim_end());
    if recorded == observed {
        return Comparison::Same;
    }
    let diff = TextDiff::from_lines(recorded, observed);
    let text = diff
        .unified_diff()
        .context_radius(2)
        .missing_newline_hint(false)
        .to_string();
    Comparison::Different {
        diff: text.trim_end().to_owned(),
    }
}

/// Returns what stands behind the header of an insta file: a YAML document between `---` lines.
pub fn content_of(file: &str) -> &str {
    file.strip_prefix("---\n")
        .and_then(|rest| rest.split_once("\n---\n"))
        .map_or(file, |(_, content)| content)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "---\nsource: x\n---\n[routes]\nweb\n  default via 10.0.0.1 dev eth0\n";

    #[test]
    fn the_header_does_not_count() {
        assert_eq!(
            compare(
                Some(FILE),
                "[routes]\nweb\n  default via 10.0.0.1 dev eth0\n"
            ),
            Comparison::Same
        );
    }

    #[test]
    fn a_difference_is_shown_and_a_missing_file_is_none() {
        let Comparison::Different { diff } = compare(Some(FILE), "[routes]\nweb\n  (none)\n")
        else {
            panic!("not different");
        };
        assert!(
            diff.contains("-  default via 10.0.0.1 dev eth0") && diff.contains("+  (none)"),
            "{diff}"
        );
        assert_eq!(compare(None, "x"), Comparison::Missing);
    }
}
