//! The documents: what they show is run, what they list is compared with the program.

mod format;
mod implementations;
mod machine;
mod protocol;
mod readme;
mod reference;
mod session;

use std::fs;
use std::path::Path;
use std::process::Command;

use netproof::scenario::Operation;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap()
}

/// Lists every document, as a path below the root.
fn documents() -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["", "docs", "docs/walkthroughs"] {
        for entry in fs::read_dir(Path::new(ROOT).join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "md") {
                let below = path.strip_prefix(ROOT).unwrap();
                found.push(below.to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// A fenced block of a document.
struct Block {
    language: String,
    /// The line of the document that the fence is on.
    line: usize,
    text: String,
}

fn blocks(document: &str, language: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (at, line) in document.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(language), None) => {
                open = Some(Block {
                    language: language.to_owned(),
                    line: at + 1,
                    text: String::new(),
                });
            }
            (None, Some(block)) => block.text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks.retain(|block| block.language == language);
    blocks
}

/// Returns the lines of all blocks of a language.
fn lines_of(document: &str, language: &str) -> Vec<String> {
    let blocks = blocks(document, language);
    let lines = blocks.iter().flat_map(|block| block.text.lines());
    lines.map(str::to_owned).collect()
}

/// Returns the rows of the table with these headings, each cell trimmed.
fn table(document: &str, headings: &[&str]) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
        inner
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    let mut lines = document.lines().skip_while(|line| cells(line) != headings);
    assert!(lines.next().is_some(), "there is no table of {headings:?}");
    lines
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(cells)
        .collect()
}

/// Returns what stands between the first two backticks of a cell.
fn code(cell: &str) -> &str {
    cell.split('`').nth(1).unwrap_or_default()
}

/// Runs netproof in the root and returns all that it prints, and its exit code. Folders for
/// temporary files are in `/tmp`, so it says, and are gone when it has ended.
fn netproof(arguments: &str) -> (String, i32) {
    let temporary = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_netproof"))
        .args(arguments.split_whitespace())
        .current_dir(ROOT)
        .env("TMPDIR", temporary.path())
        .env_remove("NETPROOF_PCAP")
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    let text = text.replace(&temporary.path().display().to_string(), "/tmp");
    (text, output.status.code().unwrap())
}

/// Makes a scenario of what is not one yet: items of a list, in nodes with the names that documents
/// use.
fn scenario_of(items: &str) -> String {
    if items.starts_with("title:") {
        return items.to_owned();
    }
    let first = items.trim_start().trim_start_matches("- ");
    let verb = first.split(':').next().unwrap_or_default();
    let list = if Operation::VERBS.contains(&verb) {
        "do"
    } else {
        "expect"
    };
    let nodes = "[host, web, database]";
    let indent = items.len() - items.trim_start().len();
    let items: String = items
        .lines()
        .map(|line| format!("      {}\n", line.get(indent..).unwrap_or_default()))
        .collect();
    format!("title: t\nnodes: {nodes}\nipv6: {nodes}\nsteps:\n  - name: s\n    {list}:\n{items}")
}
