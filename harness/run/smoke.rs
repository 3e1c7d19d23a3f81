//! The world's side: tries an adapter with requests that no scenario has, one after the other.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::conductor::{send, with_sources};
use super::event::{Blame, Event};
use super::intents::lines_of;
use crate::implement::protocol::{
    CHECK, EndpointSpec, Hello, NAMESPACES, NetworkSpec, Op, PROTOCOL, Reply, Request,
};
use crate::implement::{
    Adapter, Broken, EndpointClaim, Question, Transport, container_of, meet, schema,
};
use crate::judge::{Verdict, judge_claim};
use crate::kernel::route::LinkKind;
use crate::observe::facts;
use crate::scenario::{FactKind, HOST, LinkRef, NodeName};
use crate::world::{Baseline, Tier, Topology, WORKDIR, World, end_process, written};

/// An adapter that is tried; it crosses the pipe to a world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmokeRequest {
    /// The program.
    pub path: PathBuf,
    /// How it is talked to.
    pub transport: Transport,
    /// Which privileges the world is made with.
    pub tier: Tier,
    /// How long a reply may take.
    pub deadline: Duration,
    /// Requests and replies are held against the schemas.
    pub validate: bool,
}

/// Tries the adapter, and tells each step.
pub(super) async fn smoke(request: &SmokeRequest) -> io::Result<()> {
    let names: Result<Vec<NodeName>, _> = NODES.iter().map(|name| name.parse()).collect();
    let world = World::new(&names.unwrap_or_default(), Baseline::default());
    match world {
        Ok(world) => Smoke::new(request, world).run().await?,
        Err(error) => send(&Event::Failure {
            scenario: String::new(),
            step: 0,
            blame: Blame::Machine,
            message: with_sources(&error),
            help: Some(error.cure().to_owned()),
        })?,
    }
    send(&Event::End {
        scenario: String::new(),
    })
}

const NODES: [&str; 4] = [HOST, "c1", "c2", "outside"];

/// How a step ends that does not pass.
enum Trouble {
    /// It is wrong; other steps may tell more.
    Wrong(String),
    /// Nothing more can be asked.
    Over(String),
    /// There is nothing to try.
    Idle(&'static str),
}

/// What is said of a step that passes, if anything.
type Done = Result<Option<String>, Trouble>;

impl From<Broken> for Trouble {
    fn from(Broken(why): Broken) -> Self {
        Self::Over(why)
    }
}

/// The kernel or the world did not follow.
fn lost(error: &dyn std::error::Error) -> Trouble {
    Trouble::Over(with_sources(error))
}

struct Smoke<'a> {
    asked: &'a SmokeRequest,
    adapter: Adapter,
    world: World,
    seq: u64,
    hello: Option<Hello>,
    attached: Option<Reply>,
    /// The process of the container that is attached, where the adapter made that.
    container: Option<Pid>,
    /// What there was before anything was asked.
    before: BTreeSet<String>,
    over: bool,
}

impl<'a> Smoke<'a> {
    fn new(asked: &'a SmokeRequest, world: World) -> Self {
        Self {
            asked,
            adapter: Adapter::new(&asked.path, asked.transport, asked.validate),
            world,
            seq: 0,
            hello: None,
            attached: None,
            container: None,
            before: BTreeSet::new(),
            over: false,
        }
    }

    async fn run(&mut self) -> io::Result<()> {
        self.tell("hello", async |it| {
            it.before = it.lines().await?;
            it.greet().await
        })
        .await?;
        self.tell("network", async |it| {
            let op = Op::Network { network: network() };
            it.needed(op).await
        })
        .await?;
        self.tell("attach", async |it| it.attach("c1").await)
            .await?;
        self.tell("check", async |it| it.check("c1").await).await?;
        self.tell("detach", async |it| it.detach("c1", true).await)
            .await?;
        self.tell("detach again", async |it| it.detach("c1", true).await)
            .await?;
        self.tell("attach another", async |it| it.attach("c2").await)
            .await?;
        self.tell("detach without its namespace", async |it| {
            it.end_namespace("c2").await?;
            it.detach("c2", false).await
        })
        .await?;
        self.tell("network-delete", async |it| {
            let op = Op::NetworkDelete { network: network() };
            it.ask(op).await.map(|_| None)
        })
        .await?;
        self.tell("no endpoint is left", async |it| it.look_for_links().await)
            .await?;
        self.tell("unknown operation", async |it| it.dance().await)
            .await?;
        self.tell("unknown fields", async |it| it.paint().await)
            .await?;
        self.tell("bye", async |it| it.part().await).await?;
        self.tell(FILES, async |it| it.look_for_files()).await
    }

    /// Takes a step, unless nothing can be asked any more, and tells how it came out.
    async fn tell(
        &mut self,
        name: &str,
        step: impl AsyncFnOnce(&mut Self) -> Done,
    ) -> io::Result<()> {
        let begun = Instant::now();
        let done = match self.over {
            true if name != FILES => Err(Trouble::Idle(NOT_TRIED)),
            _ => step(self).await,
        };
        let (verdict, reason) = match done {
            Ok(remark) => (Verdict::Pass, remark),
            Err(Trouble::Wrong(why)) => (Verdict::Fail, Some(why)),
            Err(Trouble::Over(why)) => {
                self.over = true;
                (Verdict::Fail, Some(why))
            }
            Err(Trouble::Idle(why)) => (Verdict::Skipped, Some(why.to_owned())),
        };
        send(&Event::Tried {
            step: name.to_owned(),
            verdict,
            reason,
            ms: begun.elapsed().as_secs_f64() * 1e3,
        })
    }

    fn request(&mut self, op: Op) -> Request {
        self.seq += 1;
        Request {
            seq: self.seq,
            deadline_ms: self.asked.deadline.as_millis() as u64,
            workdir: WORKDIR.to_owned(),
            op,
        }
    }

    /// Asks, and returns the reply where it is ok.
    async fn ask(&mut self, op: Op) -> Result<Reply, Trouble> {
        let request = self.request(op);
        let question = Question::of(&request)?;
        if self.asked.validate {
            let sent: Value = serde_json::from_str(&question.line).unwrap_or_default();
            schema::check(&schema::request(), &sent)
                .map_err(|why| Trouble::Over(format!("the request is not right: {why}")))?;
        }
        let reply = self.adapter.answer(&question).await?;
        orderly(&reply, request.seq)?;
        if reply.ok {
            return Ok(reply);
        }
        Err(Trouble::Wrong(refusal(&reply)))
    }

    /// Asks for something without which nothing else can be tried.
    async fn needed(&mut self, op: Op) -> Done {
        match self.ask(op).await {
            Ok(_) => Ok(None),
            Err(Trouble::Wrong(why)) => Err(Trouble::Over(why)),
            Err(trouble) => Err(trouble),
        }
    }

    async fn greet(&mut self) -> Done {
        let reply = self.ask(Op::Hello { protocol: PROTOCOL }).await?;
        let missing = "the reply does not say who answers: it has no `hello`";
        let hello = reply.hello.ok_or(Trouble::Over(missing.to_owned()))?;
        if hello.protocol != PROTOCOL {
            let why = format!("it speaks protocol {}, not {PROTOCOL}", hello.protocol);
            return Err(Trouble::Over(why));
        }
        let said = format!("{} {}", hello.name, hello.version);
        let met = meet(&hello.name, &hello.requires, self.asked.tier);
        self.hello = Some(hello);
        met.map_err(|error| Trouble::Over(error.to_string()))?;
        Ok(Some(said))
    }

    fn has(&self, feature: &str) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.has(feature))
    }

    fn endpoint(&mut self, name: &NodeName) -> Result<EndpointSpec, Trouble> {
        let pid = match self.has(NAMESPACES) || self.world.node(name).is_none() {
            true => None,
            false => {
                let holder = self.world.holder(name).map_err(|error| lost(&error))?;
                u32::try_from(holder.as_raw()).ok()
            }
        };
        Ok(EndpointSpec {
            id: name.to_string(),
            netns: format!("/run/netns/{name}"),
            pid,
            ifname: IFNAME.to_owned(),
            address: None,
            publish: Vec::new(),
        })
    }

    async fn attach(&mut self, container: &str) -> Done {
        (self.attached, self.container) = (None, None);
        let name = named(container)?;
        let op = Op::Attach {
            endpoint: self.endpoint(&name)?,
            network: network(),
        };
        let reply = self.ask(op).await?;
        // Also where what it says is not true: what it has made has to go again.
        self.attached = Some(reply.clone());
        if let Some(hello) = &self.hello {
            let container = container_of(hello, &reply);
            self.container = container.map_err(|Broken(why)| Trouble::Wrong(why))?;
        }
        if let Some(process) = self.container {
            let world = &mut self.world;
            let deleted = world.delete_node(&name).await;
            deleted.map_err(|error| lost(&error))?;
            let adopted = world.adopt_process(&name, process);
            adopted.map_err(|error| lost(&error))?;
        }
        let topology = Topology::read(&self.world).await;
        let topology = topology.map_err(|error| lost(&error))?;
        if topology.link_named(&name, IFNAME).is_none() {
            let why = format!("it says ok, and there is no interface {name}/{IFNAME}");
            return Err(Trouble::Wrong(why));
        }
        let claimed = reply.claims.map(|it| it.addresses);
        let claimed = claimed.unwrap_or_default();
        let claim = EndpointClaim {
            on: LinkRef {
                node: name.clone(),
                ifname: IFNAME.parse().map_err(|error| lost(&error))?,
            },
            addresses: claimed.clone(),
        };
        let kind = FactKind::Addresses;
        let table = facts::table(&self.world, &topology, &name, kind).await;
        let table = table.map_err(|error| lost(&error))?.unwrap_or_default();
        if let Some(why) = judge_claim(&claim, &table) {
            return Err(Trouble::Wrong(why));
        }
        let said = format!("{name}/{IFNAME} {}", claimed.join(", "));
        Ok(Some(said.trim_end().to_owned()))
    }

    async fn check(&mut self, container: &str) -> Done {
        if !self.has(CHECK) {
            return Err(Trouble::Idle("it does not say that it can"));
        }
        let op = Op::Check {
            endpoint: self.endpoint(&named(container)?)?,
            network: network(),
            state: self.state()?,
        };
        self.ask(op).await.map(|_| None)
    }

    fn state(&self) -> Result<Value, Trouble> {
        let attached = self.attached.as_ref().map(|reply| reply.state.clone());
        attached.ok_or(Trouble::Idle("not tried: nothing is attached"))
    }

    async fn detach(&mut self, container: &str, there: bool) -> Done {
        let name = named(container)?;
        let op = Op::Detach {
            endpoint: self.endpoint(&name)?,
            network: network(),
            state: self.state()?,
        };
        self.ask(op).await?;
        if self.has(NAMESPACES) && self.world.node(&name).is_some() {
            // The container is gone with its endpoint; the node is only a name that we gave it.
            let deleted = self.world.delete_node(&name).await;
            deleted.map_err(|error| lost(&error))?;
        }
        let topology = Topology::read(&self.world).await;
        let topology = topology.map_err(|error| lost(&error))?;
        if there && topology.link_named(&name, IFNAME).is_some() {
            let why = format!("it says ok, and there is the interface {name}/{IFNAME}");
            return Err(Trouble::Wrong(why));
        }
        Ok(None)
    }

    /// Ends a container behind the adapter's back.
    async fn end_namespace(&mut self, container: &str) -> Result<(), Trouble> {
        self.state()?;
        if let Some(process) = self.container {
            let ended = end_process(process).await;
            ended.map_err(|error| lost(&error))?;
        }
        let deleted = self.world.delete_node(&named(container)?).await;
        deleted.map_err(|error| lost(&error))
    }

    /// Every line of the host's tables.
    async fn lines(&self) -> Result<BTreeSet<String>, Trouble> {
        let topology = Topology::read(&self.world).await;
        let topology = topology.map_err(|error| lost(&error))?;
        let lines = lines_of(&self.world, &topology, &[named(HOST)?].into()).await;
        lines.map_err(|error| lost(&error))
    }

    /// Fails where an end of an endpoint is left, and tells what else is.
    async fn look_for_links(&self) -> Done {
        let topology = Topology::read(&self.world).await;
        let topology = topology.map_err(|error| lost(&error))?;
        let host = named(HOST)?;
        let links = topology.links_of(&host).iter();
        // A network may outlive its endpoints, and its deletion.
        let left = links.filter(|link| link.name != "lo" && link.kind != LinkKind::Bridge);
        let left: Vec<&str> = left.map(|link| link.name.as_str()).collect();
        if !left.is_empty() {
            return Err(Trouble::Wrong(format!("host has {}", left.join(", "))));
        }
        let now = self.lines().await?;
        let more: Vec<&str> = now.difference(&self.before).map(String::as_str).collect();
        Ok(match more.as_slice() {
            [] => None,
            more => Some(format!("what is: {}", more.join("; "))),
        })
    }

    /// Asks for what nobody can.
    async fn dance(&mut self) -> Done {
        let request = self.request(Op::Bye);
        let mut question = Question::of(&request)?;
        question.op = "dance".to_owned();
        question.line = question.line.replace("\"bye\"", "\"dance\"");
        let reply = self.adapter.answer(&question).await?;
        orderly(&reply, request.seq)?;
        match reply.unsupported {
            Some(_) => Ok(None),
            None if reply.ok => Err(Trouble::Wrong(
                "it says ok to what it cannot know; the reply has to be `unsupported`".to_owned(),
            )),
            None => {
                let why = refusal(&reply);
                Err(Trouble::Wrong(format!(
                    "{why}; the reply has to be `unsupported`"
                )))
            }
        }
    }

    /// Asks with more fields than there are.
    async fn paint(&mut self) -> Done {
        // One of its own, so that nothing which is left of the other is in the way.
        let network = || NetworkSpec::new("n2", "10.20.0.0/24", [10, 20, 0, 1].into());
        for is_there in [true, false] {
            let network = network();
            let request = self.request(match is_there {
                true => Op::Network { network },
                false => Op::NetworkDelete { network },
            });
            let mut question = Question::of(&request)?;
            let mut sent: Value = serde_json::from_str(&question.line).unwrap_or_default();
            sent["colour"] = json!("blue");
            sent["network"]["colour"] = json!(["blue", "green"]);
            question.line = sent.to_string();
            let reply = self.adapter.answer(&question).await?;
            orderly(&reply, request.seq)?;
            if !reply.ok {
                let why = refusal(&reply);
                return Err(Trouble::Wrong(format!(
                    "with fields that it cannot know, {why}"
                )));
            }
        }
        Ok(None)
    }

    async fn part(&mut self) -> Done {
        if !self.adapter.is_served() {
            return Err(Trouble::Idle("there is no process to be ended"));
        }
        let request = self.request(Op::Bye);
        self.adapter.part(&Question::of(&request)?).await?;
        Ok(None)
    }

    fn look_for_files(&self) -> Done {
        let declared = self.hello.iter().flat_map(|hello| &hello.requires.writes);
        let mut allowed: Vec<&Path> = declared.map(Path::new).collect();
        allowed.push(Path::new(WORKDIR));
        let files = written(&allowed).map_err(|error| lost(&error))?;
        let files: Vec<String> = files.iter().map(|it| it.display().to_string()).collect();
        match files.as_slice() {
            [] => Ok(None),
            files => Err(Trouble::Wrong(format!("it wrote {}", files.join(", ")))),
        }
    }
}

const IFNAME: &str = "eth0";

/// Why a step is left out after one with which all is over.
pub const NOT_TRIED: &str = "not tried: nothing more can be asked";

/// The last step, for which nothing has to be asked.
const FILES: &str = "its workdir only";

fn network() -> NetworkSpec {
    NetworkSpec::new("n1", "10.10.0.0/24", [10, 10, 0, 1].into())
}

fn named(name: &str) -> Result<NodeName, Trouble> {
    name.parse().map_err(|error| lost(&error))
}

/// Fails where a reply is not one thing, or another's.
fn orderly(reply: &Reply, seq: u64) -> Result<(), Trouble> {
    reply
        .problem(seq)
        .map_or(Ok(()), |why| Err(Trouble::Over(why)))
}

/// What a reply says in place of ok.
fn refusal(reply: &Reply) -> String {
    if let Some(lacking) = &reply.unsupported {
        return format!("it does not do {}: {}", lacking.feature, lacking.reason);
    }
    if let Some(skipped) = &reply.skipped {
        return format!("it leaves that out: {}", skipped.message);
    }
    let error = reply.error.as_ref();
    error.map_or_else(String::new, |it| {
        format!("it refuses: {}: {}", it.code, it.message)
    })
}
