//! Judgement: what was expected against what was observed.
//!
//! Invariant: the judge never configures, and sends nothing. Everything here is a function of its
//! arguments.

mod claim;
mod expectation;
mod operation;
mod snapshot;
mod table;
mod verdict;

pub use claim::judge_claim;
pub use expectation::{Judgement, Mismatch, judge};
pub use operation::{OperationJudgement, judge_operation};
pub use snapshot::{Comparison, compare, content_of};
pub use table::judge_table;
pub use verdict::Verdict;
