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
