//! A process for each request: the request on standard input, the reply on standard output.

use std::path::PathBuf;

use super::read::read;
use super::{Question, how, last_words, no_reply_in_time, start, unheard};
use crate::implement::driver::Broken;
use crate::implement::protocol::Reply;
use crate::world::deadline::GRACE;
use crate::world::{Companion, Listened};

/// How much of standard error an error is told with, in bytes.
const TOLD: usize = 4096;

pub(super) struct Exec {
    program: PathBuf,
    validating: bool,
}

impl Exec {
    pub(super) fn new(program: PathBuf, validating: bool) -> Self {
        Self {
            program,
            validating,
        }
    }

    pub(super) async fn answer(&self, question: &Question) -> Result<Reply, Broken> {
        let companion = start(&self.program, &question.workdir)?;
        let heard = hear_out(&companion, question);
        match tokio::time::timeout(question.deadline, heard).await {
            Ok(Ok(())) => self.judged(question, &companion),
            Ok(Err(error)) => {
                companion.end(GRACE).await;
                Err(unheard(&error))
            }
            Err(_) => {
                companion.end(GRACE).await;
                Err(no_reply_in_time(question, &companion))
            }
        }
    }

    /// What came of a process that has ended.
    fn judged(&self, question: &Question, companion: &Companion) -> Result<Reply, Broken> {
        use std::os::unix::process::ExitStatusExt as _;

        let said = companion.take_all();
        let op = &question.op;
        let ended = companion.status();
        let killed = ended.is_some_and(|status| status.signal().is_some());
        if said.trim_ascii().is_empty() || killed {
            let (how, last) = (how(companion), last_words(companion));
            let without = if killed {
                "before its reply"
            } else {
                "without a reply"
            };
            return Err(Broken(format!("{how} {without} to `{op}`{last}")));
        }
        let mut reply = read(&format!("the reply to `{op}`"), &said, self.validating)?;
        if reply.ok && ended.is_some_and(|status| !status.success()) {
            let (how, last) = (how(companion), last_words(companion));
            return Err(Broken(format!("it says ok to `{op}`, but {how}{last}")));
        }
        if let Some(failure) = reply.error.as_mut().filter(|it| it.stderr.is_empty()) {
            let errors = companion.errors();
            let from = errors.floor_char_boundary(errors.len().saturating_sub(TOLD));
            failure.stderr = errors[from..].to_owned();
        }
        Ok(reply)
    }
}

async fn hear_out(companion: &Companion, question: &Question) -> std::io::Result<()> {
    let ask = async {
        companion.tell(question.line.as_bytes()).await?;
        companion.tell(b"\n").await?;
        companion.close();
        Ok(())
    };
    let hear = async {
        while companion.listen().await? == Listened::More {}
        Ok(())
    };
    futures_util::try_join!(ask, hear).map(|_: ((), ())| ())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;

    /// Asks a request that a shell carries out.
    fn ask(script: &str) -> Result<Reply, String> {
        let folder = tempfile::tempdir().unwrap();
        let question = Question {
            seq: 1,
            op: "attach".to_owned(),
            line: script.to_owned(),
            workdir: folder.path().join("workdir"),
            deadline: Duration::from_secs(20),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let reply = runtime.block_on(Exec::new("/bin/sh".into(), false).answer(&question));
        reply.map_err(|Broken(why)| why)
    }

    #[rstest]
    #[case::ok_and_failed(
        r#"echo '{"seq":1,"ok":true}'; exit 3"#,
        "it says ok to `attach`, but it ended with status 3"
    )]
    #[case::killed(
        r#"echo '{"seq":1,"ok":true}'; kill -9 $$"#,
        "it was ended by SIGKILL before its reply to `attach`"
    )]
    #[case::silent("exit 0", "it ended with status 0 without a reply to `attach`")]
    #[case::last_words(
        "for word in a b c d; do echo $word; done >&2; exit 1",
        "it ended with status 1 without a reply to `attach`; it said last: b / c / d"
    )]
    #[case::said_twice(
        "for word in a b b; do echo $word; done >&2; exit 1",
        "it ended with status 1 without a reply to `attach`; it said last: a / b"
    )]
    fn how_a_process_ends_counts(#[case] script: &str, #[case] why: &str) {
        assert_eq!(ask(script).unwrap_err(), why);
    }

    #[rstest]
    #[case::from_the_process(r#""message":"no""#, "oh dear\n")]
    #[case::of_its_own(r#""message":"no","stderr":"mine""#, "mine")]
    fn a_refusal_has_what_was_said_beside_it(#[case] failure: &str, #[case] stderr: &str) {
        let script = format!(
            "echo oh dear >&2; echo '{{\"seq\":1,\"error\":{{\"code\":\"x\",{failure}}}}}'; exit 1"
        );
        let failure = ask(&script).unwrap().error.unwrap();
        assert_eq!(failure.stderr, stderr);
    }

    #[test]
    fn of_much_that_was_said_the_end_is_told() {
        let script = "head -c 9000 /dev/zero | tr '\\0' x >&2; echo end >&2\n\
                      echo '{\"seq\":1,\"error\":{\"code\":\"x\",\"message\":\"no\"}}'";
        let failure = ask(script).unwrap().error.unwrap();
        assert_eq!(failure.stderr.len(), TOLD);
        assert!(failure.stderr.ends_with("xend\n"));
    }

    #[test]
    fn a_process_starts_in_its_workdir_and_is_told_the_protocol() {
        let said = r#"{"seq":1,"error":{"code":"'$NETPROOF_PROTOCOL'","message":"'${PWD##*/}'"}}"#;
        let failure = ask(&format!("echo '{said}'")).unwrap().error.unwrap();
        assert_eq!(
            (failure.code.as_str(), failure.message.as_str()),
            ("1", "workdir")
        );
    }
}
