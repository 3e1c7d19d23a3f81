//! What a proven negative costs: `cargo bench --bench negative`.
//!
//! Prints median and 99th percentile of probes in one world, each beside that of a probe that is
//! answered there, which is what every probe costs at least; then `ping -W1 -c1`, which only gives
//! up, and the cost of taps. The fates are checked, the times are not: they are this machine's.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for measuring: what goes wrong ends it"
)]

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use netproof::implement::Choice;
use netproof::observe::Observer;
use netproof::scenario::{NodeName, Probe, parse};
use netproof::world::{
    Baseline, Interior, Launch, Line, Tier, Topology, World, is_world_process, isolate,
    read_request,
};
use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use nix::unistd::Pid;

/// Two networks and a host between them that is no router; `IDLE` stands for more nodes.
const WORLD: &str = "
title: What is measured
nodes: [host, web, database IDLE]
given:
  - veth: {add: host/veth0, peer: web/eth0}
  - veth: {add: host/veth1, peer: database/eth0}
  - up: host/veth0
  - up: host/veth1
  - up: web/eth0
  - up: database/eth0
  - address: {add: 10.1.0.1/24, dev: host/veth0}
  - address: {add: 10.1.0.2/24, dev: web/eth0}
  - address: {add: 10.2.0.1/24, dev: host/veth1}
  - address: {add: 10.2.0.2/24, dev: database/eth0}
  - route: {in: web, add: default, via: 10.1.0.1}
  - route: {in: database, add: default, via: 10.2.0.1}
steps:
  - name: Nothing
    expect:
      - {ping: {from: web, to: 10.1.0.1}, reply: {}}
";

/// How many nodes there are, in each of the worlds.
const SIZES: [usize; 2] = [3, 16];

const ANSWERED: &str = "10.1.0.1";
/// The host would have to forward it, and does not.
const DROPPED: &str = "10.2.0.2";
/// Nobody has it.
const UNRESOLVED: &str = "10.1.0.99";

const PROBES: usize = 300;
const PINGS: usize = 3;

#[expect(
    clippy::disallowed_methods,
    reason = "the program's own entry: is this process to be a world?"
)]
fn main() -> ExitCode {
    if is_world_process(std::env::args_os()) {
        return measure();
    }
    for size in SIZES {
        let mut world = Launch::default().start(&size.to_string()).unwrap();
        loop {
            match world.next_line().unwrap() {
                Line::Event(line) => println!("{line}"),
                Line::End => break,
                Line::Late => return ExitCode::FAILURE,
            }
        }
        if !world.end().is_some_and(|status| status.success()) {
            println!("the world broke off: {}", world.stderr());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Becomes a world and measures in it. This returns in the world's other processes too.
fn measure() -> ExitCode {
    let size: usize = read_request().unwrap().parse().unwrap();
    if isolate(Tier::User, &Interior::Bare).is_err() {
        return ExitCode::FAILURE;
    }
    // The proof by fences needs one processor.
    let mut one = CpuSet::new();
    one.set(sched_getcpu().unwrap()).unwrap();
    sched_setaffinity(Pid::from_raw(0), &one).unwrap();
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_io().build().unwrap();
    runtime.block_on(measure_in_world(size));
    ExitCode::SUCCESS
}

async fn measure_in_world(size: usize) {
    let idle: String = (3..size).map(|at| format!(", idle{at}")).collect();
    let scenario = parse("bench.yaml", &WORLD.replace(" IDLE", &idle)).unwrap();
    let mut world = World::new(
        scenario.nodes.iter().map(|name| &name.value),
        Baseline::default(),
    )
    .unwrap();
    let mut native = Choice::Native
        .make(false, Duration::ZERO, Tier::User)
        .unwrap();
    for item in &scenario.given {
        native.apply(&mut world, &item.operation).await.unwrap();
    }
    let topology = world.settle().await.unwrap();
    println!("{size} nodes                           median         p99   processor");

    let mut bench = Bench {
        world: &world,
        topology: &topology,
        answered: None,
    };
    bench.time("answered", ANSWERED, false, "reply").await;
    bench.time("nothing parked", DROPPED, false, "lost").await;
    bench
        .time("nothing parked, explained", DROPPED, true, "lost")
        .await;
    let silent = "neighbour fails";
    bench.time(silent, UNRESOLVED, false, "lost").await;
    let silent = "neighbour fails, explained";
    bench.time(silent, UNRESOLVED, true, "lost").await;
    bench.ping();
    taps(&world, &topology, size).await;
    println!();
}

struct Bench<'a> {
    world: &'a World,
    topology: &'a Topology,
    /// The median of a probe that is answered.
    answered: Option<f64>,
}

impl Bench<'_> {
    async fn time(&mut self, what: &str, to: &str, explained: bool, fate: &str) {
        let probe = probe_to(to);
        let (mut times, mut doubts) = (Vec::new(), 0);
        let mut observer = Observer::new();
        // The first one opens taps and counters.
        let mut before = 0.0;
        for at in 0..=PROBES {
            if at == 1 {
                before = processor();
            }
            let begun = Instant::now();
            let sent = if explained {
                observer
                    .probe_and_explain(self.world, self.topology, &probe)
                    .await
            } else {
                observer.probe(self.world, self.topology, &probe).await
            };
            if at > 0 {
                times.push(milliseconds(begun));
            }
            let record = sent.unwrap();
            assert_eq!(record.fate.word(), fate, "{what}: {}", record.fate);
            doubts += record.doubts.len();
        }
        let processor = (processor() - before) / PROBES as f64;
        self.tell(what, &mut times, Some(processor), doubts);
    }

    /// What somebody without netproof would do: wait for a second.
    fn ping(&mut self) {
        let Some(ping) = ["/usr/bin/ping", "/bin/ping"]
            .into_iter()
            .find(|path| Path::new(path).exists())
        else {
            return println!("  ping -W1 -c1                   is not there");
        };
        let web: NodeName = "web".parse().unwrap();
        let give_up = || {
            let mut command = Command::new(ping);
            command.args(["-W1", "-c1", DROPPED]).stdin(Stdio::null());
            let begun = Instant::now();
            let output = command.output().unwrap();
            (milliseconds(begun), output.status.success())
        };
        let node = self.world.node(&web).unwrap();
        let mut times = Vec::new();
        for _ in 0..PINGS {
            let (time, answered) = node.enter(give_up).unwrap();
            assert!(!answered, "ping was answered");
            times.push(time);
        }
        self.tell("ping -W1 -c1", &mut times, None, 0);
    }

    fn tell(&mut self, what: &str, times: &mut [f64], processor: Option<f64>, doubts: usize) {
        times.sort_by(f64::total_cmp);
        let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)];
        let (median, last) = (at(50), at(99));
        let answered = *self.answered.get_or_insert(median);
        let ratio = median / answered;
        let doubts = match doubts {
            0 => String::new(),
            doubts => format!(", {doubts} doubts"),
        };
        let processor = processor.map_or("-".to_owned(), |it| format!("{it:.3} ms"));
        println!(
            "  {what:<28} {median:>8.3} ms {last:>8.3} ms {processor:>11}  {ratio:>6.1} x answered{doubts}"
        );
    }
}

/// What opening the tap of a node may cost, in milliseconds.
const OPENED_BUDGET_MS: f64 = 1.0;
/// What closing it may cost: the kernel waits until nobody can be looking at it any more
/// (`synchronize_net` in `packet_release`, net/packet/af_packet.c).
const CLOSED_BUDGET_MS: f64 = 25.0;

/// The first probe opens the taps, and dropping the observer closes them.
async fn taps(world: &World, topology: &Topology, size: usize) {
    const ROUNDS: usize = 20;
    let probe = probe_to(ANSWERED);
    let (mut opened, mut closed) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut observer = Observer::new();
        let begun = Instant::now();
        observer.probe(world, topology, &probe).await.unwrap();
        let first = milliseconds(begun);
        let begun = Instant::now();
        observer.probe(world, topology, &probe).await.unwrap();
        opened.push((first - milliseconds(begun)) / size as f64);
        let begun = Instant::now();
        drop(observer);
        closed.push(milliseconds(begun) / size as f64);
    }
    for (what, mut times, budget) in [
        ("tap of a node, opened", opened, OPENED_BUDGET_MS),
        ("tap of a node, closed", closed, CLOSED_BUDGET_MS),
    ] {
        times.sort_by(f64::total_cmp);
        let median = times[ROUNDS / 2];
        println!("  {what:<28} {median:>8.3} ms, of {budget} ms");
    }
}

fn probe_to(address: &str) -> Probe {
    let probe = format!(r#"{{"ping": {{"from": "web", "to": "{address}"}}}}"#);
    serde_json::from_str(&probe).unwrap()
}

/// How much of a processor this process has used, in milliseconds: unlike the rest, that hardly
/// depends on what else the machine does.
fn processor() -> f64 {
    let used = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    (used.user_time() + used.system_time()).num_microseconds() as f64 / 1e3
}

fn milliseconds(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}
