//! Which kinds of links the kernel has.

use rtnetlink::LinkUnspec;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{InfoKind, LinkAttribute, LinkInfo};

use super::RouteSocket;
use crate::kernel::KernelError;

impl RouteSocket {
    /// Makes a link of any kind, by the kernel's word for it, above the link `on` where one is
    /// given. Nothing else is said of it, so kinds that need more refuse with `EINVAL`.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP` if the kernel does not have the kind and finds no module for it; `EINVAL` if
    /// the kind needs to be told more; `ENODEV` if there is no link `on`.
    pub async fn add_link_of_kind(
        &self,
        name: &str,
        kind: &str,
        on: Option<&str>,
    ) -> Result<(), KernelError> {
        let mut message = LinkUnspec::new_with_name(name).build();
        if let Some(on) = on {
            let below = self.link(on).await?.index;
            message.attributes.push(LinkAttribute::Link(below));
        }
        let kind = LinkInfo::Kind(InfoKind::Other(kind.to_owned()));
        message.attributes.push(LinkAttribute::LinkInfo(vec![kind]));
        self.change(
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
        .await
    }
}
