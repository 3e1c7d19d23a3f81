//! What a table was to show against what it shows.

use super::{Judgement, Mismatch, Verdict};
use crate::scenario::Table;

/// Judges the lines of a table by those that it was to show.
pub fn judge_table(expected: &Table, lines: &[String]) -> Judgement {
    let only = expected.only.as_ref().map_or("", |only| only.as_str());
    let lines: Vec<&str> = lines
        .iter()
        .map(String::as_str)
        .filter(|line| line.starts_with(only))
        .collect();
    let shown = || match lines.as_slice() {
        [] => "nothing".to_owned(),
        lines => lines.join("; "),
    };
    let mut mismatches = Vec::new();
    if let Some(are) = &expected.are {
        let all: Vec<&str> = are.iter().map(|line| line.as_str()).collect();
        if all != lines {
            mismatches.push(Mismatch {
                what: "are".to_owned(),
                expected: match all.as_slice() {
                    [] => "nothing".to_owned(),
                    all => all.join("; "),
                },
                seen: shown(),
            });
        }
    }
    for line in &expected.have {
        if !lines.contains(&line.as_str()) {
            mismatches.push(Mismatch {
                what: "have".to_owned(),
                expected: line.value.clone(),
                seen: shown(),
            });
        }
    }
    Judgement {
        verdict: match mismatches.is_empty() {
            true => Verdict::Pass,
            false => Verdict::Fail,
        },
        mismatches,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::all(r#""are": ["a", "b"]"#, &[])]
    #[case::one_missing(r#""are": ["a", "b", "c"]"#, &["are"])]
    #[case::one_more(r#""are": ["a"]"#, &["are"])]
    #[case::in_another_order(r#""are": ["b", "a"]"#, &["are"])]
    #[case::not_empty(r#""are": []"#, &["are"])]
    #[case::some(r#""have": ["b"]"#, &[])]
    #[case::a_part_of_a_line(r#""have": ["b", ""]"#, &["have"])]
    #[case::of_some(r#""only": "b", "are": ["b"]"#, &[])]
    #[case::of_none(r#""only": "c", "are": []"#, &[])]
    #[case::not_none(r#""only": "a", "are": []"#, &["are"])]
    #[case::left_out(r#""only": "a", "have": ["b"]"#, &["have"])]
    #[case::none(r#""have": ["c", "d"]"#, &["have", "have"])]
    fn a_table_is_judged_line_by_line(#[case] expected: &str, #[case] points: &[&str]) {
        let table: Table =
            serde_json::from_str(&format!(r#"{{"in": "web", {expected}}}"#)).unwrap();
        let judgement = judge_table(&table, &["a".to_owned(), "b".to_owned()]);
        let named: Vec<&str> = judgement
            .mismatches
            .iter()
            .map(|it| it.what.as_str())
            .collect();
        assert_eq!(named, points);
        assert_eq!(judgement.verdict == Verdict::Pass, points.is_empty());
    }
}
