//! The command line: verbs, terminal, exit codes.
//!
//! Invariant: the only part that prints, reads the environment or the command line. It knows no
//! netlink.

mod check;
mod claims;
mod conformance;
mod doctor;
mod exit;
mod explain;
mod implementations;
mod judge;
mod list;
mod out;
mod packets;
mod printer;
mod run;
mod schema;
mod select;
mod show;
mod smoke;
mod verbs;
mod walkthrough;
mod workers;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};

pub use exit::Exit;

use crate::run::Deadlines;
use crate::world::{Tier, deadline};

/// Proves that a container network works.
#[derive(Debug, Parser)]
#[command(name = "netproof", version, about, after_help = exit::TABLE)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs scenarios, each in a world of its own, and judges what happens.
    Run(RunArgs),
    /// Checks scenario files without running them.
    Check(Selection),
    /// Lists scenarios with their titles.
    List(ListArgs),
    /// Prints a scenario as a shell script of `ip`, `sysctl` and `iptables` commands.
    Show(ShowArgs),
    /// Says what becomes of one probe after a step of a scenario, on which way, and why.
    Explain(ExplainArgs),
    /// Lets a command build the network of a scenario in its own way, and judges what is there then.
    Judge(JudgeArgs),
    /// Runs the scenarios that decide what a text claims, and prints which claims hold.
    Claims(ClaimsArgs),
    /// Runs scenarios and tells each step by step: commands, what came of them and why, and tables.
    Walkthrough(WalkthroughArgs),
    /// Runs the scenarios of networks and endpoints with every implementation, and prints the matrix.
    Conformance(ConformanceArgs),
    /// Lists the implementations that can carry operations out, and checks manifests.
    Implementations(ImplementationsArgs),
    /// Says what this machine can run, and what mends it where it cannot.
    Doctor(DoctorArgs),
    /// Tries an adapter, step by step, with requests of every kind.
    Smoke(SmokeArgs),
    /// Prints the JSON Schema of scenario files, or of the protocol.
    Schema(SchemaArgs),
    /// Prints the reference of verbs: what each does, its arguments, and the commands it stands for.
    Verbs,
}

/// How long an operation may take unless it is said otherwise, in milliseconds.
const OPERATION_MS: u64 = deadline::OPERATION.as_millis() as u64;

/// Takes a number of milliseconds: one at least, and a day at most.
fn a_while() -> impl TypedValueParser<Value = u64> {
    value_parser!(u64).range(1..=24 * 60 * 60 * 1000)
}

/// Gives each operation so many milliseconds.
fn deadlines(of_operation: u64) -> Deadlines {
    Deadlines::of_operation(Duration::from_millis(of_operation))
}

/// Which scenarios are meant.
#[derive(Debug, Args)]
struct Selection {
    /// Files, folders of files, or names of carried scenarios; all carried ones if none is given.
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<PathBuf>,
}

#[derive(Debug, Args)]
struct RunArgs {
    #[command(flatten)]
    selection: Selection,
    /// How to report.
    #[arg(long, value_enum, default_value_t = RunFormat::Human)]
    format: RunFormat,
    /// Which privileges the worlds are made with; the least that the implementation runs with if not
    /// given.
    #[arg(long, value_enum)]
    tier: Option<TierArg>,
    /// How many scenarios run at once; as many as there are processors if not given.
    #[arg(long, short, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Runs everything so many times, and counts every run.
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN)]
    repeat: NonZeroUsize,
    /// Where the recorded snapshots are; by default `snapshots` beside the folder `scenarios`
    /// that a scenario's file is in, or beside the file.
    #[arg(long, value_name = "DIR")]
    snapshots: Option<PathBuf>,
    /// Records what is observed as the snapshots of scenario files, in place of comparing.
    #[arg(long)]
    accept: bool,
    /// Writes the packets of every scenario, a pcapng file each, into this folder; those of
    /// scenarios that fail into one for temporary files if not given.
    #[arg(long, value_name = "DIR")]
    pcap: Option<PathBuf>,
    /// Starts every node with the opposite of each pinned setting, before pinning.
    #[arg(long, hide = true)]
    hostile_baseline: bool,
    /// Which implementation carries operations out: one that `netproof implementations` lists, the file of
    /// a manifest, or an adapter, as `exec:PATH` or `serve:PATH`.
    #[arg(long, value_name = "NAME", default_value = "native")]
    implementation: PathBuf,
    /// How long an operation may take, or an adapter's reply, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = OPERATION_MS, value_parser = a_while())]
    deadline: u64,
}

#[derive(Debug, Args)]
struct ClaimsArgs {
    #[command(flatten)]
    selection: Selection,
    /// How to print the ledger.
    #[arg(long, value_enum, default_value_t = ClaimsFormat::Human)]
    format: ClaimsFormat,
    /// Which implementation carries operations out: one that `netproof implementations` lists, or the
    /// file of a manifest.
    #[arg(long, value_name = "NAME", default_value = "native")]
    implementation: PathBuf,
    /// Which privileges the worlds are made with.
    #[arg(long, value_enum, default_value_t = TierArg::User)]
    tier: TierArg,
    /// How many scenarios run at once; as many as there are processors if not given.
    #[arg(long, short, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

#[derive(Debug, Args)]
struct ConformanceArgs {
    #[command(flatten)]
    selection: Selection,
    /// An implementation: one that `netproof implementations` lists, or a file; all that are listed if
    /// none is given. May be given more than once.
    #[arg(long, value_name = "NAME")]
    implementation: Vec<PathBuf>,
    /// An adapter of somebody's own, `exec:PATH` or `serve:PATH`. May be given more than once.
    #[arg(long, value_name = "PATH")]
    adapter: Vec<PathBuf>,
    /// Which privileges the worlds of adapters are made with; everybody else's are known.
    #[arg(long, value_enum, default_value_t = TierArg::User)]
    tier: TierArg,
    /// How to report.
    #[arg(long, value_enum, default_value_t = MatrixFormat::Human)]
    format: MatrixFormat,
    /// Appends the report to this file too, a line of JSON for each row and cell, as they come.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Says what is otherwise than in an earlier report, a file of JSON lines.
    #[arg(long, value_name = "REPORT")]
    against: Option<PathBuf>,
    /// How many scenarios run at once; as many as there are processors if not given.
    #[arg(long, short, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// How long an operation may take, or an adapter's reply, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = OPERATION_MS, value_parser = a_while())]
    deadline: u64,
}

/// How the matrix is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MatrixFormat {
    /// For people at a terminal.
    Human,
    /// One JSON object a line, as they come.
    Json,
    /// A page of Markdown.
    Markdown,
    /// JUnit, for the pages of CI systems.
    Junit,
}

#[derive(Debug, Args)]
struct WalkthroughArgs {
    #[command(flatten)]
    selection: Selection,
    /// Only the scenarios of this source.
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// Which privileges the worlds are made with.
    #[arg(long, value_enum, default_value_t = TierArg::User)]
    tier: TierArg,
    /// How many scenarios run at once; as many as there are processors if not given.
    #[arg(long, short, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    selection: Selection,
    /// How to list.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// A file, or the name of a carried scenario.
    scenario: PathBuf,
    /// Only what `netproof judge` leaves to a command: what the steps do, without nodes, what is given,
    /// and servers.
    #[arg(long)]
    goal: bool,
    /// With --goal, only up to this step; to the last one if not given.
    #[arg(long, value_name = "N", requires = "goal")]
    step: Option<usize>,
}

#[derive(Debug, Args)]
struct JudgeArgs {
    /// A file, or the name of a carried scenario.
    scenario: PathBuf,
    /// Judges what this step expects; the last one if not given.
    #[arg(long, value_name = "N")]
    step: Option<usize>,
    /// Compares the snapshot of the step, too.
    #[arg(long)]
    snapshot: bool,
    /// How to report.
    #[arg(long, value_enum, default_value_t = RunFormat::Human)]
    format: RunFormat,
    /// Which privileges the world is made with.
    #[arg(long, value_enum, default_value_t = TierArg::User)]
    tier: TierArg,
    /// Writes the packets into this folder, as a pcapng file; those of a scenario that fails into one for
    /// temporary files if not given.
    #[arg(long, value_name = "DIR")]
    pcap: Option<PathBuf>,
    /// The command that builds the network, behind `--`: a program and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

#[derive(Debug, Args)]
struct ExplainArgs {
    /// A file, or the name of a carried scenario.
    scenario: PathBuf,
    /// Sends the probe after this step; after the last one if not given, and after what is given
    /// if 0.
    #[arg(long, value_name = "N")]
    step: Option<usize>,
    /// The node that sends; with --arp or --ethertype, the interface, as NODE/IFNAME.
    #[arg(long, value_name = "NODE")]
    from: String,
    /// The address that it is sent to; with --ethertype, the interface.
    #[arg(long, value_name = "ADDRESS")]
    to: String,
    #[command(flatten)]
    kind: KindArgs,
    /// The port that the datagram or connection comes from; a fresh one if it is not given.
    #[arg(long, value_name = "PORT", conflicts_with_all = ["arp", "ethertype"])]
    from_port: Option<u16>,
    /// How to report.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Which privileges the world is made with.
    #[arg(long, value_enum, default_value_t = TierArg::User)]
    tier: TierArg,
}

/// What is sent; an ICMP echo request if none is given.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct KindArgs {
    /// Sends a UDP datagram to this port.
    #[arg(long, value_name = "PORT")]
    udp: Option<u16>,
    /// Begins a TCP connection to this port.
    #[arg(long, value_name = "PORT")]
    tcp: Option<u16>,
    /// Sends an ARP request out of one interface.
    #[arg(long)]
    arp: bool,
    /// Sends a frame of this EtherType, such as 0x88b6, from one interface to another.
    #[arg(long, value_name = "ETHERTYPE")]
    ethertype: Option<String>,
}

#[derive(Debug, Args)]
struct ImplementationsArgs {
    /// Names, or files of manifests; all that the program has if none is given.
    #[arg(value_name = "NAME")]
    names: Vec<PathBuf>,
    /// How to list.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, Args)]
struct SmokeArgs {
    /// The adapter: `exec:FILE`, which is started for each request, or `serve:FILE`, which serves all of
    /// them; a file alone is `exec`.
    adapter: PathBuf,
    /// Holds requests and replies against the JSON Schemas of the protocol, too.
    #[arg(long)]
    validate: bool,
    /// How long a reply may take, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 5000, value_parser = a_while())]
    deadline: u64,
    /// How to report.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Which privileges the world is made with.
    #[arg(long, value_enum, default_value_t = TierArg::User)]
    tier: TierArg,
}

#[derive(Debug, Args)]
struct SchemaArgs {
    /// Prints that of a part of the protocol of adapters.
    #[arg(long, value_enum, value_name = "PART")]
    protocol: Option<PartArg>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PartArg {
    /// What netproof asks.
    Request,
    /// What an adapter answers.
    Reply,
}

#[derive(Debug, Args)]
struct DoctorArgs {
    /// How to report.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a person.
    Human,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ClaimsFormat {
    /// For a person.
    Human,
    /// A document with a table for each text.
    Markdown,
    /// One JSON object a line.
    Json,
}

/// How a run is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RunFormat {
    /// For a person.
    Human,
    /// One JSON object a line.
    Json,
    /// JUnit, for the pages of CI systems, at the end.
    Junit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TierArg {
    /// A user namespace with one id; no privileges needed.
    User,
    /// A user namespace with 65,536 ids; for root, or with newuidmap and /etc/subuid.
    Subuid,
    /// No user namespace; for privileged containers and runners.
    Root,
}

impl From<TierArg> for Tier {
    fn from(tier: TierArg) -> Self {
        match tier {
            TierArg::User => Self::User,
            TierArg::Subuid => Self::Subuid,
            TierArg::Root => Self::Root,
        }
    }
}

/// Runs the command line of this process and returns how it is to end.
pub fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors, and go to standard output.
            let usage = error.use_stderr();
            return if error.print().is_ok() && !usage {
                Exit::Pass
            } else {
                Exit::Usage
            };
        }
    };
    match cli.verb {
        Verb::Run(args) => run::run(&args),
        Verb::Check(selection) => check::check(&selection),
        Verb::List(args) => list::list(&args),
        Verb::Show(args) => show::show(&args),
        Verb::Explain(args) => explain::explain(&args),
        Verb::Judge(args) => judge::judge(&args),
        Verb::Claims(args) => claims::claims(&args),
        Verb::Walkthrough(args) => walkthrough::walkthrough(&args),
        Verb::Conformance(args) => conformance::conformance(&args),
        Verb::Implementations(args) => implementations::implementations(&args),
        Verb::Doctor(args) => doctor::doctor(&args),
        Verb::Smoke(args) => smoke::smoke(&args),
        Verb::Schema(args) => schema::schema(&args),
        Verb::Verbs => verbs::verbs(),
    }
}
