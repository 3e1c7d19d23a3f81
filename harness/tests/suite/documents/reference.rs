//! What a document refers to is there: other documents, their headings, code, and what is hidden.

use std::fs;
use std::path::{Path, PathBuf};

use super::{ROOT, blocks, documents, netproof, read};

/// Returns the anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let text: String = heading.trim().to_lowercase().chars().filter(kept).collect();
    text.replace(' ', "-")
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    for document in documents() {
        let text = read(&document);
        let folder = Path::new(&document).parent().unwrap();
        for link in text.split("](").skip(1) {
            let link = link.split(')').next().unwrap_or_default();
            if link.starts_with("https://") {
                continue;
            }
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target: PathBuf = if path.is_empty() {
                document.clone().into()
            } else {
                folder.join(path)
            };
            let full = Path::new(ROOT).join(&target);
            assert!(full.exists(), "{document}: {link}");
            if !heading.is_empty() {
                let headings = fs::read_to_string(full).unwrap();
                let found = headings
                    .lines()
                    .filter_map(|line| line.strip_prefix('#'))
                    .any(|line| anchor(line.trim_start_matches('#')) == heading);
                assert!(found, "{document}: {link}");
            }
        }
    }
}

/// Code that a document quotes begins with the file that it is from, and is there word for word.
#[test]
fn every_piece_of_code_that_names_its_file_is_in_that_file() {
    let mut found = 0;
    for document in documents() {
        for block in blocks(&read(&document), "rust") {
            let text = without_indent(&block.text);
            let Some((file, code)) = text
                .strip_prefix("// harness/")
                .and_then(|rest| rest.split_once('\n'))
            else {
                continue;
            };
            found += 1;
            let place = format!("{document}:{}", block.line);
            assert!(
                read(&format!("harness/{file}")).contains(code),
                "{place}: not in harness/{file}:\n{code}"
            );
        }
    }
    assert!(found > 0, "no document quotes code");
}

/// Takes off the indentation of the first line, which is that of the fence, from every line.
fn without_indent(text: &str) -> String {
    let indent = text.len() - text.trim_start().len();
    let lines = text.lines();
    lines
        .map(|line| line.get(indent..).unwrap_or_default().to_owned() + "\n")
        .collect()
}

#[test]
fn the_documents_name_what_is_hidden_as_the_program_does() {
    let limit = netproof::world::Launch::default().deadline.as_secs();
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = read(document);
        assert!(text.contains(&format!("`{}`", netproof::world::WORLD_ARGUMENT)));
        assert!(text.contains("run --hostile-baseline`"));
    }
    assert!(read("CONTRIBUTING.md").contains("`netproof run --implementation iproute2-iptables`"));
    assert!(read("ARCHITECTURE.md").contains(&format!("outlives {limit} seconds")));
    let [operation, step] = [
        netproof::world::deadline::OPERATION,
        netproof::world::deadline::STEP,
    ]
    .map(|it| it.as_secs());
    let format = read("docs/format.md");
    assert!(read("ARCHITECTURE.md").contains(&format!("{operation} seconds and a step {step};")));
    assert!(format.contains(&format!("not done after {operation} seconds")));
    assert!(format.contains(&format!("not done after {step} or")));
    assert!(format.contains(&format!("not done after {limit}.")));
    let kept = "The first mebibyte of each attempt is kept, and the last 16 of a scenario";
    assert!(read("README.md").contains(kept));
    assert_eq!(netproof::observe::Capture::BYTES_MAX, 1 << 20);
    assert_eq!(netproof::run::Packets::BYTES_MAX, 16 << 20);
    let (_, code) = netproof("run --hostile-baseline tutorials/gateway");
    assert_eq!(code, 0);
}
