//! One process for the whole run: a line for each request, and a line for each reply, in any order.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;

use super::read::read;
use super::{Question, how, last_words, no_reply_in_time, shortened, start, unheard};
use crate::implement::driver::Broken;
use crate::implement::protocol::Reply;
use crate::world::deadline::GRACE;
use crate::world::{Companion, Listened};

pub(super) struct Serve {
    program: PathBuf,
    validating: bool,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    companion: Option<Rc<Companion>>,
    /// The highest number of a request.
    asked: u64,
    /// The requests that wait for their replies.
    under_way: BTreeSet<u64>,
    /// Replies that nobody has taken yet.
    replies: BTreeMap<u64, Reply>,
    /// It has said something that is a reply.
    spoke: bool,
    /// Why nothing can be asked any more.
    broken: Option<Broken>,
}

impl Serve {
    pub(super) fn new(program: PathBuf, validating: bool) -> Self {
        Self {
            program,
            validating,
            state: RefCell::default(),
        }
    }

    pub(super) async fn answer(&self, question: &Question) -> Result<Reply, Broken> {
        let companion = self.begin(question)?;
        let answer = self.wait_for(question, &companion);
        let answer = tokio::time::timeout(question.deadline, answer).await;
        self.state.borrow_mut().under_way.remove(&question.seq);
        match answer {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(broken)) => Err(self.give_up(&companion, broken).await),
            Err(_) => {
                let mut broken = no_reply_in_time(question, &companion);
                let half = companion.take_all();
                if !half.trim_ascii().is_empty() {
                    let half = shortened(&String::from_utf8_lossy(&half));
                    broken.0 += &format!("; it began a line: `{half}`");
                } else if companion.is_silent() {
                    broken.0 += "; it has closed its standard output";
                } else if !self.state.borrow().spoke {
                    broken.0 +=
                        "; it has said nothing at all, so what it prints may wait in a buffer";
                }
                Err(self.give_up(&companion, broken).await)
            }
        }
    }

    /// Says goodbye, and waits for the end of the process.
    pub(super) async fn part(&self, question: &Question) -> Result<(), Broken> {
        let companion = self.state.borrow().companion.clone();
        let Some(companion) = companion else {
            return Ok(());
        };
        self.answer(question).await?;
        companion.close();
        let ended =
            async { while !matches!(companion.listen().await, Ok(Listened::End) | Err(_)) {} };
        let limit = question.deadline;
        let in_time = tokio::time::timeout(limit, ended).await.is_ok();
        let status = companion.status();
        let last = last_words(&companion);
        companion.end(GRACE).await;
        let more = companion.take_all();
        let limit = limit.as_millis();
        match status {
            _ if !in_time => Err(Broken(format!(
                "it has not ended {limit} ms after its reply to `bye`{last}"
            ))),
            Some(status) if !status.success() => {
                let how = how(&companion);
                Err(Broken(format!("{how} after `bye`{last}")))
            }
            _ if !more.trim_ascii().is_empty() => {
                let more = shortened(&String::from_utf8_lossy(&more));
                Err(Broken(format!("after its reply to `bye` it says `{more}`")))
            }
            _ => Ok(()),
        }
    }

    /// Takes note of a request, and starts the process with the first one.
    fn begin(&self, question: &Question) -> Result<Rc<Companion>, Broken> {
        let mut state = self.state.borrow_mut();
        if let Some(broken) = &state.broken {
            return Err(broken.clone());
        }
        let companion = match &state.companion {
            Some(companion) => Rc::clone(companion),
            None => {
                let companion = Rc::new(start(&self.program, &question.workdir)?);
                state.companion = Some(Rc::clone(&companion));
                companion
            }
        };
        state.under_way.insert(question.seq);
        state.asked = state.asked.max(question.seq);
        Ok(companion)
    }

    async fn wait_for(&self, question: &Question, companion: &Companion) -> Result<Reply, Broken> {
        let line = format!("{}\n", question.line);
        let told = companion.tell(line.as_bytes()).await;
        told.map_err(|error| unheard(&error))?;
        loop {
            if let Some(reply) = self.state.borrow_mut().replies.remove(&question.seq) {
                return Ok(reply);
            }
            if let Some(broken) = self.state.borrow().broken.clone() {
                return Err(broken);
            }
            let heard = companion.listen().await.map_err(|error| unheard(&error))?;
            self.sort(companion)?;
            let here = self.state.borrow().replies.contains_key(&question.seq);
            if heard == Listened::End && !here {
                let said = companion.take_all();
                if !said.trim_ascii().is_empty() {
                    // A line without its end is no line.
                    read("its last line", &said, self.validating)?;
                    return Err(Broken("its last line has no end".to_owned()));
                }
                let (how, last) = (how(companion), last_words(companion));
                let op = &question.op;
                return Err(Broken(format!("{how} before its reply to `{op}`{last}")));
            }
        }
    }

    /// Puts each reply where the one that waits for it finds it.
    fn sort(&self, companion: &Companion) -> Result<(), Broken> {
        while let Some(line) = companion.take_line() {
            let reply = read("a line of it", &line, self.validating)?;
            let mut state = self.state.borrow_mut();
            let known = state.under_way.contains(&reply.seq);
            // Requests are counted, so whatever is not above the highest was asked for once.
            if state.replies.contains_key(&reply.seq) || !known && reply.seq <= state.asked {
                return Err(Broken(format!("a second reply has seq {}", reply.seq)));
            }
            if !known {
                let waiting: Vec<String> = state.under_way.iter().map(u64::to_string).collect();
                return Err(Broken(format!(
                    "a reply has seq {}, and what waits for one is seq {}",
                    reply.seq,
                    waiting.join(", ")
                )));
            }
            state.spoke = true;
            state.replies.insert(reply.seq, reply);
        }
        Ok(())
    }

    /// Ends the process; whoever waits for a reply gets the reason of the first.
    async fn give_up(&self, companion: &Companion, broken: Broken) -> Broken {
        let first = {
            let mut state = self.state.borrow_mut();
            let is_first = state.broken.is_none();
            state.broken.get_or_insert(broken.clone());
            is_first
        };
        if first {
            companion.end(GRACE).await;
        }
        self.state.borrow().broken.clone().unwrap_or(broken)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;

    /// A request whose line is one that a shell carries out.
    fn question(seq: u64, line: &str, folder: &std::path::Path) -> Question {
        Question {
            seq,
            op: "attach".to_owned(),
            line: line.to_owned(),
            workdir: folder.join("workdir"),
            deadline: Duration::from_secs(20),
        }
    }

    fn shell() -> Serve {
        Serve::new("/bin/sh".into(), false)
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    }

    /// Asks two requests at the same time.
    fn both(script: &str) -> [Result<u64, String>; 2] {
        let folder = tempfile::tempdir().unwrap();
        let serve = shell();
        let questions = [(1, ":"), (2, script)];
        let questions = questions.map(|(seq, line)| question(seq, line, folder.path()));
        runtime().block_on(async {
            let asked = questions.iter().map(|question| serve.answer(question));
            let answers = futures_util::future::join_all(asked).await;
            let answers = answers.into_iter();
            let answers = answers.map(|it| it.map(|reply| reply.seq).map_err(|Broken(why)| why));
            answers.collect::<Vec<_>>().try_into().unwrap()
        })
    }

    #[test]
    fn replies_come_in_any_order() {
        let script = r#"echo '{"seq":2,"ok":true}'; echo '{"seq":1,"ok":true}'; read -r c"#;
        assert_eq!(both(script), [Ok(1), Ok(2)]);
    }

    #[test]
    fn who_breaks_off_breaks_off_for_all_that_wait() {
        let why = "it ended with status 3 before its reply to `attach`".to_owned();
        let script = r#"echo '{"seq":2,"ok":true}'; exit 3"#;
        assert_eq!(both(script), [Err(why.clone()), Ok(2)]);
        let twice = r#"echo '{"seq":2,"ok":true}{}'; read -r c"#;
        let why = "a line of it is one object and more: `{}`".to_owned();
        assert_eq!(both(twice), [Err(why.clone()), Err(why)]);
    }

    #[test]
    fn a_reply_that_comes_twice_is_the_end() {
        let script = r#"printf '{"seq":1,"ok":true}\n{"seq":1,"ok":true}\n'; exit 0"#;
        let [_, second] = both(script);
        assert_eq!(second, Err("a second reply has seq 1".to_owned()));
    }

    #[test]
    fn a_line_without_its_end_is_no_reply() {
        let script = r#"echo '{"seq":1,"ok":true}'; printf '{"seq":2,"ok":true}'; exit 0"#;
        let why = "its last line has no end".to_owned();
        assert_eq!(both(script), [Ok(1), Err(why)]);
    }

    #[rstest]
    #[case::well(r#"echo '{"seq":2,"ok":true}'"#, None)]
    #[case::badly(
        r#"echo oh dear >&2; echo '{"seq":2,"ok":true}'; exit 3"#,
        Some("it ended with status 3 after `bye`; it said last: oh dear")
    )]
    #[case::with_more_words(
        r#"echo '{"seq":2,"ok":true}'; read -r more; echo aye"#,
        Some("after its reply to `bye` it says `aye`")
    )]
    #[case::too_early("exit 0", Some("it ended with status 0 before its reply to `bye`"))]
    fn who_parts_says_so_and_ends(#[case] line: &str, #[case] wrong: Option<&str>) {
        let folder = tempfile::tempdir().unwrap();
        let serve = shell();
        let first = question(1, r#"echo '{"seq":1,"ok":true}'"#, folder.path());
        let bye = Question {
            op: "bye".to_owned(),
            ..question(2, line, folder.path())
        };
        let parted = runtime().block_on(async {
            serve.answer(&first).await.unwrap();
            serve.part(&bye).await
        });
        assert_eq!(parted.err().map(|Broken(why)| why).as_deref(), wrong);
    }
}
