//! Owns the network that an image on trial has: one interface with an address and a way out, whose other end is ours, and
//! the files that say who answers names. Refuses to know packets.

use super::super::protocol::{GATEWAY, IMAGE, PREFIX};
use crate::hand::net::wire::{index, with_kernel};
use rtnetlink::packet_route::link::LinkAttribute;
use rtnetlink::{LinkUnspec, LinkVeth, RouteMessageBuilder};
use std::net::Ipv4Addr;

/// The image's interface.
const INNER: &str = "eth0";
/// Our end.
pub(super) const OUTER: &str = "wire0";

/// Makes both ends, and the files.
pub(super) fn lay(hostname: &str) -> Result<(), String> {
    with_kernel(async |kernel| {
        let told = |what: &'static str| move |error: rtnetlink::Error| format!("{what}: {error}");
        let pair = LinkVeth::new(INNER, OUTER).build();
        kernel.link().add(pair).execute().await.map_err(told("no cable"))?;
        let missing = |error: std::io::Error| format!("the cable is not there: {error}");
        let (inner, outer) = (index(INNER).map_err(missing)?, index(OUTER).map_err(missing)?);
        kernel.address().add(inner, IMAGE.into(), PREFIX).execute().await.map_err(told("no address"))?;
        // Segments are read one by one here; the kernel would hand on whole heaps of them.
        let single =
            LinkUnspec::new_with_index(inner).append_extra_attribute(LinkAttribute::GsoMaxSegs(1)).up().build();
        kernel.link().set(single).execute().await.map_err(told("the interface does not come up"))?;
        let up = LinkUnspec::new_with_index(outer).up().build();
        kernel.link().set(up).execute().await.map_err(told("the other end does not come up"))?;
        let out = RouteMessageBuilder::<Ipv4Addr>::new().gateway(GATEWAY).output_interface(inner).build();
        kernel.route().add(out).execute().await.map_err(told("no way out"))
    })?;
    let told = |error: std::io::Error| format!("who answers names cannot be written down: {error}");
    // In place: the engine has bound both files into every container of this network.
    std::fs::write("/etc/resolv.conf", format!("nameserver {GATEWAY}\n")).map_err(told)?;
    std::fs::write("/etc/hosts", format!("127.0.0.1\tlocalhost\n{IMAGE}\t{hostname}\n")).map_err(told)
}
