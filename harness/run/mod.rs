//! The conductor: one scenario, one implementation, one world; a stream of events.

mod cell;
mod claims;
mod conductor;
mod deadlines;
mod doctor;
mod entry;
mod event;
mod expect;
mod fault;
mod intents;
mod judged;
mod made_up;
mod outcome;
mod packets;
mod question;
mod reason;
mod request;
mod required;
mod runner;
mod smoke;

pub use cell::Cell;
pub use claims::Ledger;
pub use deadlines::Deadlines;
pub use doctor::{SMALLEST, examine, summary};
pub use entry::{ExitStatus, become_world};
pub use event::{Blame, Event, Shown};
pub use fault::{Fault, FaultAt};
pub use outcome::{FactsTaken, Outcome, Totals};
pub use packets::{AttemptPackets, Packets};
pub use request::{Goal, Instead, Request, Task, Trial};
pub use required::Required;
pub use runner::{NamedScenario, Runner};
pub use smoke::{NOT_TRIED, SmokeRequest};
