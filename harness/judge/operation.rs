//! An operation's outcome against whether it is to be refused.

use super::Verdict;
use crate::implement::OperationError;
use crate::scenario::Item;

/// How an operation came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationJudgement {
    /// Pass if it did what the scenario says, also where that is to be refused.
    pub verdict: Verdict,
    /// What the implementation said, where it did not carry the operation out.
    pub reason: Option<String>,
    /// What this machine does not have, where it is that: a feature of the kernel, or a program.
    pub lacks: Option<String>,
}

/// Judges what carrying out an operation came to.
pub fn judge_operation(item: &Item, result: &Result<(), OperationError>) -> OperationJudgement {
    let verdict = match (&item.fails, result) {
        (None, Ok(())) => Verdict::Pass,
        (_, Err(error)) if error.is_unsupported() => Verdict::Unsupported,
        (_, Err(OperationError::Skipped { .. })) => Verdict::Skipped,
        (_, Err(OperationError::Broken(_))) => Verdict::Error,
        (Some(reason), Err(error)) if error.is_refusal(reason) => Verdict::Pass,
        (Some(_), Ok(())) | (_, Err(_)) => Verdict::Fail,
    };
    OperationJudgement {
        verdict,
        reason: result.as_ref().err().map(ToString::to_string),
        lacks: result
            .as_ref()
            .err()
            .and_then(|error| error.lacks().map(str::to_owned)),
    }
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;
    use rstest::rstest;

    use super::*;
    use crate::kernel::KernelError;

    #[rstest]
    #[case::done(None, None, Verdict::Pass)]
    #[case::refused(None, Some(Errno::ENODEV), Verdict::Fail)]
    #[case::to_be_refused(Some("No such device"), Some(Errno::ENODEV), Verdict::Pass)]
    #[case::for_another_reason(Some("File exists"), Some(Errno::ENODEV), Verdict::Fail)]
    #[case::not_refused(Some("No such device"), None, Verdict::Fail)]
    fn a_refusal_is_judged_by_its_reason(
        #[case] fails: Option<&str>,
        #[case] refused: Option<Errno>,
        #[case] verdict: Verdict,
    ) {
        let mut item: Item = serde_json::from_str(r#"{"up": "web/lo"}"#).unwrap();
        item.fails = fails.map(|text| crate::scenario::Located::nowhere(text.to_owned()));
        let result = refused.map_or(Ok(()), |errno| Err(KernelError::from_errno(errno).into()));
        assert_eq!(judge_operation(&item, &result).verdict, verdict);
    }

    #[rstest]
    #[case::skipped(
        OperationError::Skipped { message: "later".to_owned(), issue_url: None },
        Verdict::Skipped
    )]
    #[case::broken(
        OperationError::Broken(crate::implement::Broken("no reply".to_owned())),
        Verdict::Error
    )]
    #[case::not_done(
        OperationError::NotDone {
            implementation: "x".to_owned(),
            feature: "mtu".to_owned(),
            reason: "not here".to_owned(),
        },
        Verdict::Unsupported
    )]
    #[case::no_program(OperationError::NoProgram("ip".to_owned()), Verdict::Unsupported)]
    fn what_is_no_answer_is_no_refusal(
        #[case] error: OperationError,
        #[case] verdict: Verdict,
        #[values(None, Some("refused"), Some("no reply"), Some("not here"))] fails: Option<&str>,
    ) {
        let mut item: Item = serde_json::from_str(r#"{"up": "web/lo"}"#).unwrap();
        item.fails = fails.map(|text| crate::scenario::Located::nowhere(text.to_owned()));
        assert_eq!(judge_operation(&item, &Err(error)).verdict, verdict);
    }
}
