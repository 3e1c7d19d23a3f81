//! `netproof explain`.

use std::net::IpAddr;

use super::out::{print, print_error, unwritable};
use super::select::one;
use super::{Exit, ExplainArgs, Format};
use crate::judge::Verdict;
use crate::report::Human;
use crate::run::{Blame, Event, Runner};
use crate::scenario::{
    Exchange, LinkRef, Located, NodeName, Ping, Probe, Question, RawFrame, Scenario, SentTo,
    Solicitation, ValueError,
};

/// Says what becomes of one probe after a step.
pub(super) fn explain(args: &ExplainArgs) -> Exit {
    let only = match one(&args.scenario, "a question is about one") {
        Ok(only) => only,
        Err(exit) => return exit,
    };
    let question = match question(args, &only.scenario) {
        Ok(question) => question,
        Err(wrong) => {
            print_error(&mistake(wrong.id, &wrong.message, &wrong.help));
            return Exit::Usage;
        }
    };
    let runner = Runner::new(args.tier.into(), false);
    let mut told = Told::default();
    let _ = runner.explain(&only.named, question, &mut |event| told.take(event));
    runner.wait_until_gone();
    if let Some((message, help)) = &told.mistake {
        // An interface is looked for only to ask by ARP, or to send a frame.
        let id = if args.kind.arp || args.kind.ethertype.is_some() {
            "no-such-interface"
        } else {
            "port-in-use"
        };
        print_error(&mistake(id, message, help));
        return Exit::Usage;
    }
    let text = match args.format {
        Format::Human => told.human.rest(),
        Format::Json => told.json,
    };
    print(&text).map_or_else(|error| unwritable(&error), |()| told.exit)
}

fn mistake(id: &str, message: &str, help: &str) -> String {
    format!("error[{id}]: {message}\n  help: {help}\n")
}

/// Makes a question of the arguments, and checks it.
fn question(args: &ExplainArgs, scenario: &Scenario) -> Result<Question, ValueError> {
    if let Some(ethertype) = &args.kind.ethertype {
        let probe = Probe::Frame(RawFrame {
            from: Located::nowhere(args.from.parse()?),
            to: Located::nowhere(args.to.parse()?),
            ethertype: Located::nowhere(ethertype.parse()?),
        });
        return checked(args, scenario, probe);
    }
    let to: SentTo = args.to.parse()?;
    let probe = if args.kind.arp {
        let from = Located::nowhere(args.from.parse::<LinkRef>()?);
        let asked = to.address().ok_or_else(|| {
            let message = format!("`{to}` is not an address");
            ValueError::new("bad-address", message, "write it as 10.0.0.2")
        })?;
        let to = Located::nowhere(asked);
        let ask = Solicitation { from, to };
        match ask.to.value {
            IpAddr::V4(_) => Probe::Arp(ask),
            IpAddr::V6(_) => Probe::Ndp(ask),
        }
    } else {
        let from = Located::nowhere(sender(&args.from)?);
        let to = Located::nowhere(to);
        let exchange = |port| Exchange {
            from: from.clone(),
            to: to.clone(),
            port: Located::nowhere(port),
            from_port: args.from_port.map(Located::nowhere),
        };
        match (args.kind.udp, args.kind.tcp) {
            (Some(port), _) => Probe::Udp(exchange(port)),
            (None, Some(port)) => Probe::Tcp(exchange(port)),
            (None, None) if args.from_port.is_some() => {
                let message = "a ping has no port that it comes from";
                let help = "add `--udp PORT` or `--tcp PORT`, or leave `--from-port` out";
                return Err(ValueError::new("udp-or-tcp", message, help));
            }
            (None, None) => Probe::Ping(Ping {
                from,
                to,
                ttl: None,
                size: None,
            }),
        }
    };
    checked(args, scenario, probe)
}

/// Makes a question of a probe, and checks it.
fn checked(args: &ExplainArgs, scenario: &Scenario, probe: Probe) -> Result<Question, ValueError> {
    let step = args.step.unwrap_or(scenario.steps.len());
    let question = Question { step, probe };
    question.check(scenario)?;
    Ok(question)
}

/// Reads the node that sends: only an ARP request or a frame is sent out of an interface that one
/// names.
fn sender(text: &str) -> Result<NodeName, ValueError> {
    match text.parse::<LinkRef>() {
        Ok(LinkRef { node, .. }) => Err(ValueError::new(
            "bad-node-name",
            format!("`{text}` is an interface, and only an ARP request or a frame names one"),
            format!("write `--from {node}`, or add --arp"),
        )),
        Err(_) => text.parse(),
    }
}

/// What was told, and how the program ends by it.
struct Told {
    human: Human,
    json: String,
    /// What is wrong with the question, and what would be right.
    mistake: Option<(String, String)>,
    exit: Exit,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            human: Human::new(),
            json: String::new(),
            mistake: None,
            // Until there is an answer.
            exit: Exit::Bug,
        }
    }
}

impl Told {
    fn take(&mut self, event: &Event) {
        let matters = match event {
            Event::Probe { fate, .. } => {
                self.exit = if fate == "inconclusive" {
                    Exit::Fail
                } else {
                    Exit::Pass
                };
                true
            }
            Event::Answer { .. } => true,
            Event::Operation { verdict, .. } => match verdict {
                Verdict::Pass => false,
                // There is no such step on this machine.
                Verdict::Unsupported => {
                    self.exit = Exit::Machine;
                    true
                }
                _ => {
                    self.exit = Exit::Fail;
                    true
                }
            },
            Event::Failure {
                blame,
                message,
                help,
                ..
            } => {
                match blame {
                    Blame::Machine => self.exit = Exit::Machine,
                    // Nothing of others runs here.
                    Blame::Netproof | Blame::Tested => self.exit = Exit::Bug,
                    Blame::Asker => {
                        let help = help.clone().unwrap_or_default();
                        self.mistake = Some((message.clone(), help));
                    }
                }
                true
            }
            _ => false,
        };
        // One report for all scenarios prints what is ended; here nothing but the rest is.
        let _ = self.human.take(event);
        if matters && let Ok(line) = serde_json::to_string(event) {
            self.json += &line;
            self.json.push('\n');
        }
    }
}
