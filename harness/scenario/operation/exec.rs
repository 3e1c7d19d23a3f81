//! Commands that a program refuses before the kernel hears of them.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::arguments::{Arguments, Mention, exec, word};
use crate::scenario::name::NodeName;
use crate::scenario::schema::CommandWord;
use crate::scenario::value::{Located, ValueError, at_least_one};

/// A command that the real program has to refuse, as it was typed.
///
/// It is for what no other verb can say: words in an order, or a form, that the program itself does not
/// understand. It goes only with `fails`, whose reason is what the program says last. Without the
/// program it is `unsupported`, whatever carries the other operations out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    /// The node in which it runs.
    #[serde(rename = "in")]
    pub node: Located<NodeName>,
    /// The program, `ip` or `bridge`, and its arguments.
    #[serde(deserialize_with = "some_words")]
    #[schemars(with = "Vec<CommandWord>", length(min = 1))]
    pub argv: Vec<Located<String>>,
}

impl Exec {
    /// The programs that can be asked.
    pub const PROGRAMS: [&'static str; 2] = ["ip", "bridge"];
}

fn some_words<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Located<String>>, D::Error> {
    let help = "write the program and its arguments, for example `argv: [ip, route, add]`";
    at_least_one(
        from,
        ValueError::new("bad-program", "no program is named", help),
    )
}

impl Arguments for Exec {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.node.value, self.node.span));
    }

    fn command(&self) -> String {
        let words: Vec<_> = self.argv.iter().map(|text| word(text)).collect();
        exec(&self.node) + &words.join(" ")
    }
}
