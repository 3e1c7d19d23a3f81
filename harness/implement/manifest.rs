//! The commands of a manifest: what a file says for each verb, run word by word and without a shell.

use nix::errno::Errno;

use super::programs::{self, bare};
use super::refusal::refusal;
use super::{Applied, Implementation, OperationError};
use crate::kernel::KernelError;
use crate::scenario::{Manifest, Netns, Operation, as_line};
use crate::world::{World, run_to_end};

/// Carries operations out by the commands of a manifest, in `host`.
#[derive(Debug)]
pub(super) struct ByManifest(pub(super) Manifest);

impl Implementation for ByManifest {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn commands(&self, operation: &Operation) -> Vec<String> {
        let commands = self.0.commands(operation).unwrap_or_default();
        commands.iter().map(|words| as_line(words)).collect()
    }

    fn apply<'a>(&'a mut self, world: &'a mut World, operation: &'a Operation) -> Applied<'a> {
        Box::pin(self.carry_out(world, operation))
    }
}

impl ByManifest {
    async fn carry_out(
        &self,
        world: &mut World,
        operation: &Operation,
    ) -> Result<(), OperationError> {
        if Manifest::NOT_ITS_OWN.contains(&operation.verb()) {
            return Err(OperationError::HarnessOnly(operation.verb()));
        }
        let commands = self
            .0
            .commands(operation)
            .map_err(|no_way| OperationError::NoWay {
                implementation: self.0.name.clone(),
                no_way,
            })?;
        for words in &commands {
            self.run(words).await.map_err(|error| match error {
                OperationError::Refused(reason) if self.is_lacking(operation.verb(), &reason) => {
                    OperationError::Unsupported {
                        feature: operation.verb(),
                        reason,
                    }
                }
                error => error,
            })?;
        }
        match operation {
            Operation::Netns(Netns {
                add: Some(name), ..
            }) => Ok(world.adopt_node(name)?),
            Operation::Netns(Netns {
                delete: Some(name), ..
            }) => Ok(world.forget_node(name).await?),
            _ => Ok(()),
        }
    }

    /// Runs a command to its end. The runner's network namespace is `host`, and the command's too.
    async fn run(&self, words: &[String]) -> Result<(), OperationError> {
        // Where the program is the word behind those that enter a node, only they could say so.
        let is_missing = |word: &&String| self.0.needs.contains(word) && !programs::is_there(word);
        if let Some(program) = words.iter().find(is_missing) {
            return Err(OperationError::NoProgram(program.clone()));
        }
        let Some((program, arguments)) = words.split_first() else {
            return Ok(());
        };
        let mut command = bare(program, arguments);
        let (status, said) = match run_to_end(&mut command).await {
            Err(error) if error.reason.errno == Errno::ENOENT => {
                return Err(OperationError::NoProgram(program.clone()));
            }
            ended => ended?,
        };
        if status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&said);
        Err(self.refusal(&said).into())
    }

    /// Tells a missing feature from a refusal, which an error number alone does not. What is said may be
    /// meant for one verb only, whose name stands in front of it.
    fn is_lacking(&self, verb: &str, reason: &KernelError) -> bool {
        let said = reason.sentence.as_deref().unwrap_or_default();
        self.0
            .lacks
            .iter()
            .any(|words| match words.split_once(": ") {
                Some((of, words)) if Operation::VERBS.contains(&of) => {
                    of == verb && said.contains(words)
                }
                _ => said.contains(words),
            })
    }

    fn refusal(&self, said: &str) -> KernelError {
        refusal(said, &self.0.sentences)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse_manifest;

    fn run(words: &[&str]) -> Result<(), OperationError> {
        let text = "name: x\nabout: y\nneeds: [no-such-program, sh]\nsentences: [{says: taken, means: EEXIST}]\noperations: {up: [sh, <up>]}";
        let manifest = parse_manifest("x.yaml", text).unwrap();
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap()
            .block_on(ByManifest(manifest).run(&words))
    }

    #[test]
    fn a_program_that_is_not_there_is_no_refusal_of_the_kernel() {
        for words in [
            &["no-such-program-either"][..],
            &["sh", "-c", "exit 1", "no-such-program"],
        ] {
            assert!(
                matches!(run(words), Err(OperationError::NoProgram(_))),
                "{words:?}"
            );
        }
    }

    #[test]
    fn a_command_is_no_line_for_a_shell() {
        assert_eq!(
            run(&["sh", "-c", "[ \"$1\" = '$(exit 1)' ]", "sh", "$(exit 1)"]),
            Ok(())
        );
    }

    #[test]
    fn nothing_of_the_environment_reaches_a_command() {
        let only = "[ \"$(env | grep -Ev '^(PATH|LC_ALL|PWD|SHLVL|_)=')\" = '' ]";
        assert_eq!(run(&["sh", "-c", only]), Ok(()));
    }

    #[test]
    fn what_a_program_says_is_read_by_the_manifests_own_table() {
        let refused = run(&["sh", "-c", "echo 'the name is taken' >&2; exit 1"]).unwrap_err();
        assert_eq!(refused.refusal().map(|it| it.errno), Some(Errno::EEXIST));
    }
}
