//! Route netlink: links, addresses, routes and neighbours of one network namespace.

mod address;
mod device;
mod fdb;
mod feature;
mod fib;
mod link;
mod monitor;
mod neighbour;
mod routes;
mod rules;

use futures_util::StreamExt;
use netlink_sys::AsyncSocket as _;
use nix::errno::Errno;
use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::packet_route::RouteNetlinkMessage;

pub use address::Address;
pub use device::{
    BridgeSettings, MacvlanSettings, NewLink, Particulars, PortSettings, VxlanSettings,
};
pub use fdb::{FdbEntry, FdbState, NewFdbEntry};
pub use fib::{Fib, FibHop, FibKind, FibRoute, Found, Refusal};
pub use link::{Link, LinkKind, OperState, PortState};
pub use monitor::{Change, Monitor};
pub use neighbour::{Neighbour, NeighbourState, NeighbourTable};
pub use routes::{
    MAIN_TABLE, NewNextHop, NewRoute, NextHop, Route, RouteKind, RouteProtocol, RouteScope,
};
pub use rules::{NewPolicyRule, PolicyAction, PolicyRule};

use super::KernelError;
use super::error::sentence_of;

/// The dump is inconsistent, linux/netlink.h.
const NLM_F_DUMP_INTR: u16 = 0x10;

/// How often a dump that the kernel calls inconsistent is read again before it is an error.
const DUMP_ATTEMPTS: usize = 64;

/// A route netlink socket of one network namespace.
///
/// The socket keeps the namespace that it was opened in, whichever thread uses it.
#[derive(Debug, Clone)]
pub struct RouteSocket {
    handle: rtnetlink::Handle,
}

impl RouteSocket {
    /// Opens a socket in the calling thread's network namespace and lets the current tokio runtime
    /// drive it.
    ///
    /// # Errors
    ///
    /// The kernel's refusal of the socket, or of extended acknowledgements on it (Linux 4.12).
    ///
    /// # Panics
    ///
    /// Outside the context of a tokio runtime.
    pub fn open() -> Result<Self, KernelError> {
        let (mut connection, handle, _unsolicited) =
            rtnetlink::new_connection().map_err(|error| KernelError::from_io(&error))?;
        let socket = connection.socket_mut().socket_mut();
        // With the refused message cut off (cap-ack) the attributes follow its header directly.
        socket
            .set_ext_ack(true)
            .map_err(|error| KernelError::from_io(&error))?;
        socket
            .set_cap_ack(true)
            .map_err(|error| KernelError::from_io(&error))?;
        tokio::spawn(connection);
        Ok(Self { handle })
    }

    /// Sends one request and waits for its acknowledgement.
    async fn change(&self, message: RouteNetlinkMessage, flags: u16) -> Result<(), KernelError> {
        self.exchange(message, NLM_F_REQUEST | NLM_F_ACK | flags)
            .await
            .map(|_| ())
    }

    /// Asks for one object.
    async fn get(&self, message: RouteNetlinkMessage) -> Result<RouteNetlinkMessage, KernelError> {
        let (mut answers, _) = self.exchange(message, NLM_F_REQUEST).await?;
        answers
            .pop()
            .ok_or_else(|| lost("the kernel sent no answer that could be read"))
    }

    /// Asks for all objects of a kind, again when the kernel says that they changed meanwhile
    /// (`NLM_F_DUMP_INTR`, netlink(7)).
    async fn dump(
        &self,
        message: RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, KernelError> {
        for _ in 0..DUMP_ATTEMPTS {
            let (answers, interrupted) = self
                .exchange(message.clone(), NLM_F_REQUEST | NLM_F_DUMP)
                .await?;
            if !interrupted {
                return Ok(answers);
            }
        }
        Err(lost("the network went on changing while it was read"))
    }

    async fn exchange(
        &self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<(Vec<RouteNetlinkMessage>, bool), KernelError> {
        let mut request = NetlinkMessage::from(message);
        request.header.flags = flags;
        let mut responses = self
            .handle
            .clone()
            .request(request)
            .map_err(|_| lost("the netlink connection is closed"))?;
        let (mut answers, mut interrupted) = (Vec::new(), false);
        while let Some(response) = responses.next().await {
            interrupted |= response.header.flags & NLM_F_DUMP_INTR != 0;
            match response.payload {
                NetlinkPayload::InnerMessage(answer) => answers.push(answer),
                NetlinkPayload::Error(error) => {
                    if let Some(code) = error.code {
                        return Err(KernelError {
                            errno: Errno::from_raw(code.get().saturating_abs()),
                            sentence: sentence_of(&error.header),
                        });
                    }
                }
                _ => {}
            }
        }
        Ok((answers, interrupted))
    }
}

/// An exchange that did not come to its end, in our own words.
fn lost(sentence: &str) -> KernelError {
    KernelError {
        errno: Errno::EIO,
        sentence: Some(sentence.to_owned()),
    }
}
