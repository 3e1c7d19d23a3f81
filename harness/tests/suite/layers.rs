//! The invariants of ARCHITECTURE.md that can be read off the sources.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test does"
)]

use std::fs;
use std::path::{Path, PathBuf};

use rstest::rstest;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Lists the sources of a module of the library, or of all of it, as paths below `harness`.
fn sources(module: &str) -> Vec<PathBuf> {
    let harness = Path::new(ROOT).join("harness");
    let mut found = Vec::new();
    let mut folders = vec![harness.join(module)];
    let file = harness.join(module).with_extension("rs");
    found.extend(file.is_file().then_some(file));
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("tests") && !path.ends_with("benches") {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs")
                && !path.ends_with("tests.rs")
            {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "there is no module `{module}`");
    found
}

/// Returns the code of a file: no comment, no tests.
fn code_of(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let code = text
        .split("\n#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the layers of ARCHITECTURE.md, from the top down.
fn layers() -> Vec<String> {
    let text = fs::read_to_string(Path::new(ROOT).join("ARCHITECTURE.md")).unwrap();
    let rows = text
        .lines()
        .skip_while(|line| *line != "| layer | what it does |")
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    rows.map(|row| row.split('`').nth(1).unwrap().to_owned())
        .collect()
}

#[test]
fn the_layers_are_the_modules() {
    let library = fs::read_to_string(Path::new(ROOT).join("harness/lib.rs")).unwrap();
    let mut modules: Vec<&str> = library
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    let mut layers = layers();
    modules.sort_unstable();
    layers.sort_unstable();
    assert_eq!(layers, modules);
}

#[test]
fn a_module_names_nothing_of_a_layer_above_its_own() {
    let layers = layers();
    for (at, layer) in layers.iter().enumerate() {
        for path in sources(layer) {
            let code = code_of(&path);
            for above in &layers[..at] {
                let path = path.display();
                assert!(
                    !code.contains(&format!("crate::{above}")),
                    "{path}: {above}"
                );
                // `use crate::{a, b}` would hide the names from this test.
                assert!(!code.contains("crate::{"), "{path}: name one module a line");
            }
        }
    }
}

#[rstest]
#[case::netlink(&["rtnetlink", "netlink_sys", "netlink_packet"], &["kernel/"])]
#[case::yaml(&["serde_yaml"], &["scenario/parse/", "scenario/value.rs"])]
#[case::namespaces(&["sched::setns", "sched::unshare", "unsafe {"], &["world/"])]
#[case::printing(&["println!", "anstream"], &["cli/", "build.rs"])]
// What the protocol flattens is written by netproof, and read with no place to be lost.
#[case::looseness(&["serde(flatten", "serde(untagged"], &["implement/protocol"])]
fn only_one_place_names(#[case] words: &[&str], #[case] places: &[&str]) {
    let harness = Path::new(ROOT).join("harness");
    for path in sources("") {
        let below = path.strip_prefix(&harness).unwrap().display().to_string();
        if places.iter().any(|place| below.starts_with(place)) {
            continue;
        }
        let code = code_of(&path);
        for word in words {
            assert!(!code.contains(word), "{below}: {word}");
        }
    }
}
