//! `netproof schema`.

use super::out::{print, unwritable};
use super::{Exit, PartArg, SchemaArgs};
use crate::implement::schema;
use crate::scenario::Scenario;

/// Prints the JSON Schema of the format, or of a part of the protocol.
pub(super) fn schema(args: &SchemaArgs) -> Exit {
    let schema = match args.protocol {
        None => Scenario::schema(),
        Some(PartArg::Request) => schema::request(),
        Some(PartArg::Reply) => schema::reply(),
    };
    print(&format!("{schema:#}\n")).map_or_else(|error| unwritable(&error), |()| Exit::Pass)
}
