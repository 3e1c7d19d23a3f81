//! netproof proves that a container network works.
//!
//! A scenario says which nodes there are, what is done to their network step by step, and what
//! becomes of a packet after each step. This crate reads scenarios, carries them out in isolated
//! worlds, sends real packets, and judges what happened. The `netproof` program is a thin shell
//! around it.
//!
//! What is said of a network in words is checked before anything is built:
//!
//! ```
//! use netproof::scenario::parse;
//!
//! let text = "
//! title: A namespace reaches itself through its own loopback interface
//! nodes: [web]
//! steps:
//!   - name: With lo up, localhost answers
//!     do:
//!       - up: web/lo
//!     expect:
//!       - ping: {from: web, to: 127.0.0.1}
//!         reply: {ttl: 64}
//! ";
//! let scenario = parse("lo.yaml", text)?;
//! assert_eq!(scenario.steps[0].operations[0].operation.command(), "ip -n web link set lo up");
//!
//! let problems = parse("lo.yaml", &text.replace("web/lo", "wbe/lo")).unwrap_err();
//! assert_eq!(problems.problems()[0].id, "undeclared-node");
//! # Ok::<(), netproof::scenario::Diagnostics>(())
//! ```
//!
//! And what was observed is judged by what was expected, point by point:
//!
//! ```
//! use netproof::judge::{Verdict, judge};
//! use netproof::observe::{Fate, Record};
//! # use netproof::scenario::parse;
//! # let text = "
//! # title: t
//! # nodes: [web]
//! # steps:
//! #   - name: s
//! #     expect:
//! #       - {ping: {from: web, to: 127.0.0.1}, reply: {ttl: 64}}
//! # ";
//! # let scenario = parse("lo.yaml", text)?;
//! # let expectation = scenario.steps[0].expectations[0].probe().ok_or("a table")?;
//!
//! let fate = Fate::Reply { ttl: Some(63), source: None, by: None };
//! let record = Record {
//!     fate,
//!     sightings: vec![],
//!     attempts: 1,
//!     doubts: vec![],
//!     ms: 0.3,
//!     explanation: None,
//! };
//! let judgement = judge(expectation, &record, &|link| link.node.as_str() == "web");
//! assert_eq!(judgement.verdict, Verdict::Fail);
//! assert_eq!((judgement.mismatches[0].expected.as_str(), judgement.mismatches[0].seen.as_str()), ("64", "63"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`run::Runner`] carries scenarios out. A world is a process of its own, because a process with
//! threads cannot make a user namespace; so the program that a runner starts, by default the calling
//! one, begins with [`world::is_world_process`] and [`run::become_world`].
//!
//! The modules are layers, from [`cli`] down to [`scenario`], and each says what it never does;
//! `ARCHITECTURE.md` beside the sources has them all.
pub mod carried;
pub mod cli;
pub mod implement;
pub mod judge;
pub mod kernel;
pub mod observe;
pub mod report;
pub mod run;
pub mod scenario;
pub mod world;
