//! `netproof explain`: the answer to a question about one probe.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use netproof::scenario::{Expectation, ExpectedFate, Probe, parse};
use rstest::rstest;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const ROUTER: &str = "fixtures/readme/router.yaml";

fn explain(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_netproof"))
        .arg("explain")
        .args(arguments)
        .current_dir(ROOT)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[rstest]
#[case::lost(&["--from", "web", "--to", "10.2.0.2"], &["step 1:", "lost after host/veth0", "web/eth0", "forwarding-off", "ip_forward=1"])]
#[case::as_given(&["--step", "0", "--from", "web", "--to", "10.2.0.2"], &["as given", "rejected network-unreachable by web", "no-route"])]
#[case::answered(&["--from", "web", "--to", "10.1.0.1"], &["reply ttl 64", "web/eth0"])]
#[case::udp(&["--from", "web", "--to", "10.1.0.1", "--udp", "53"], &["udp from web to 10.1.0.1 port 53", "rejected port-unreachable by host", "nobody-listening"])]
#[case::tcp(&["--from", "web", "--to", "10.1.0.1", "--tcp", "80"], &["tcp from web", "nobody-listening"])]
#[case::arp(&["--from", "web/eth0", "--to", "10.1.0.1", "--arp"], &["reply by host/veth0"])]
#[case::frame(&["--from", "web/eth0", "--to", "host/veth0", "--ethertype", "0x88b6"], &["frame 0x88b6 from web/eth0 to host/veth0", "lost after host/veth0", "nobody-listening"])]
#[case::frame_through_a_router(&["--from", "web/eth0", "--to", "database/eth0", "--ethertype", "0x88b6"], &["lost after host/veth0", "no bridge of host joins host/veth0 and host/veth1"])]
fn an_answer_is_0_whatever_it_is(#[case] question: &[&str], #[case] told: &[&str]) {
    let output = explain(&[&[ROUTER], question].concat());
    let answer = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{answer}");
    for part in told {
        assert!(answer.contains(part), "{part}: {answer}");
    }
}

#[rstest]
#[case::step(&["--step", "7", "--from", "web", "--to", "10.1.0.1"], "no-such-step", "up to 1")]
#[case::node(&["--from", "wbe", "--to", "10.1.0.1"], "no-such-node", "did you mean `web`?")]
#[case::address(&["--from", "web", "--to", "database"], "bad-address", "10.0.0.2")]
#[case::ipv6(&["--from", "web", "--to", "::1"], "ipv6-off", "under `ipv6`")]
#[case::port(&["--from", "web", "--to", "10.1.0.1", "--tcp", "0"], "port-zero", "from 1")]
#[case::same_port(&["--from", "web", "--to", "10.1.0.1", "--tcp", "80", "--from-port", "80"], "same-port", "another port")]
#[case::port_of_a_ping(&["--from", "web", "--to", "10.1.0.1", "--from-port", "80"], "udp-or-tcp", "--udp PORT")]
#[case::interface(&["--from", "web/eth0", "--to", "10.1.0.1"], "bad-node-name", "`--from web`")]
#[case::no_interface(&["--from", "web", "--to", "10.1.0.1", "--arp"], "bad-link", "node/ifname")]
#[case::other_interface(&["--from", "web/eht0", "--to", "10.1.0.1", "--arp"], "no-such-interface", "did you mean `eth0`?")]
#[case::ethertype(&["--from", "web/eth0", "--to", "host/veth0", "--ethertype", "0x0800"], "bad-ethertype", "`0x88b6`")]
#[case::frame_to_an_address(&["--from", "web/eth0", "--to", "10.1.0.1", "--ethertype", "0x88b6"], "bad-link", "node/ifname")]
#[case::frame_to_another_interface(&["--from", "web/eth0", "--to", "host/veht0", "--ethertype", "0x88b6"], "no-such-interface", "did you mean `veth0`?")]
#[case::frame_to_itself(&["--from", "web/eth0", "--to", "web/eth0", "--ethertype", "0x88b6"], "frame-to-itself", "another node")]
#[case::frame_to_nobody(&["--from", "web/eth0", "--to", "wbe/eth0", "--ethertype", "0x88b6"], "no-such-node", "did you mean `web`?")]
fn a_mistake_in_the_question_is_2_and_says_what_would_be_right(
    #[case] question: &[&str],
    #[case] id: &str,
    #[case] help: &str,
) {
    for format in ["human", "json"] {
        let output = explain(&[&[ROUTER, "--format", format], question].concat());
        let complaint = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{complaint}");
        assert!(output.stdout.is_empty());
        assert!(
            complaint.starts_with(&format!("error[{id}]")),
            "{complaint}"
        );
        assert!(complaint.contains(help), "{complaint}");
    }
}

#[test]
fn a_question_is_about_one_scenario_and_one_kind_of_probe() {
    let output = explain(&["tutorials", "--from", "web", "--to", "10.1.0.1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("error[several-scenarios]"));
    let both = ["--udp", "53", "--tcp", "53"];
    let output = explain(&[&[ROUTER, "--from", "web", "--to", "10.1.0.1"], &both[..]].concat());
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_step_that_cannot_be_reached_is_1_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("router.yaml");
    let router = fs::read_to_string(Path::new(ROOT).join(ROUTER)).unwrap();
    fs::write(
        &file,
        router.replace("up: database/eth0", "up: database/eth7"),
    )
    .unwrap();
    let output = explain(&[file.to_str().unwrap(), "--from", "web", "--to", "10.1.0.1"]);
    let answer = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{answer}");
    assert!(answer.contains("No such device"), "{answer}");
}

/// The question that an expectation answers, and the cause that it names.
fn question_of(expectation: &Expectation) -> Option<(Vec<String>, &'static str)> {
    let expectation = expectation.probe()?;
    let because = match &expectation.fate {
        ExpectedFate::Lost(lost) => lost.because.as_ref(),
        ExpectedFate::Rejected(rejected) => rejected.because.as_ref(),
        ExpectedFate::Reply(_) | ExpectedFate::Unanswered(_) => None,
    };
    let probe = &expectation.probe;
    let (from, kind) = match probe {
        Probe::Ping(ping) if ping.ttl.is_some() || ping.size.is_some() => return None,
        Probe::Ping(_) => (probe.from().to_string(), Vec::new()),
        Probe::Arp(ask) | Probe::Ndp(ask) => (ask.from.to_string(), vec!["--arp".to_owned()]),
        Probe::Udp(to) | Probe::Tcp(to) => {
            let mut kind = vec![format!("--{}", probe.kind()), to.port.to_string()];
            if let Some(port) = &to.from_port {
                kind.extend(["--from-port".to_owned(), port.to_string()]);
            }
            (probe.from().to_string(), kind)
        }
        Probe::Frame(frame) => {
            let kind = vec!["--ethertype".to_owned(), frame.ethertype.to_string()];
            (frame.from.to_string(), kind)
        }
    };
    let to = probe.to().to_string();
    let mut arguments = vec!["--from".to_owned(), from, "--to".to_owned(), to];
    arguments.extend(kind);
    Some((arguments, because?.word()))
}

/// A question that a scenario answers by itself is answered in the same way.
#[test]
fn the_answer_is_that_of_a_run() {
    let (mut asked, mut wrong) = (0, Vec::new());
    for scenario in netproof::carried::scenarios() {
        if !scenario.name.starts_with("fates/") {
            continue;
        }
        let parsed = parse(&scenario.file, &scenario.text).unwrap();
        for (at, step) in parsed.steps.iter().enumerate() {
            let last = step.expectations.iter().rev().find_map(question_of);
            let Some((question, cause)) = last else {
                continue;
            };
            let step = (at + 1).to_string();
            let question: Vec<&str> = question.iter().map(String::as_str).collect();
            let format = ["--format", "json", "--step", &step];
            let output = explain(&[&[scenario.name.as_str()], &format[..], &question].concat());
            asked += 1;
            let told = text(&output.stdout);
            if !told.contains(&format!("\"cause\":\"{cause}\"")) {
                wrong.push(format!("{} {question:?}: {cause}: {told}", scenario.name));
            }
        }
    }
    assert!(asked > 20, "the scenarios name no causes");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
