//! Owns the cables of hosts: a pair of virtual interfaces each, one end in the host's network namespace with its address
//! and its way out, the other on its zone's bridge. Refuses to know when hosts get power.
//!
//! The engine could do this, and did: it counts the endpoints of each network, and loses count when many containers end
//! at one moment, which is what this harness is for. A network that never had an endpoint of a host cannot be miscounted.
//! A cable goes with its namespace, when the last process of the host ends: a host that is started again needs a new one.

use super::super::protocol::Wire;
use super::paths;
use rtnetlink::packet_route::link::{InfoData, InfoVeth};
use rtnetlink::{Handle, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder};
use rustix::net::netdevice::name_to_index;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use std::net::Ipv4Addr;

/// The host's end.
const INSIDE: &str = "eth0";

/// Bits of the address of a host that reaches everybody, its neighbours too, over its gateway.
pub const ALONE: u8 = 32;

/// The name of a cable's end at the bridge; 15 characters at most.
pub fn name(short: &str, number: usize) -> String {
    format!("{}{number}", prefix(short))
}

/// How the names of all cables of a run begin.
fn prefix(short: &str) -> String {
    format!("bs{short}h")
}

/// Plugs in every host that has a process and no cable yet. Doing it again changes nothing.
///
/// # Errors
/// Where the kernel refuses: the first host with its reason; those before it are plugged in.
pub fn plug<'a>(wires: impl Iterator<Item = &'a Wire>) -> Result<(), String> {
    let missing: Vec<&Wire> = wires.filter(|wire| !is_plugged(wire)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let told = |wire: &Wire, error: String| format!("the cable of {}: {error}", wire.host.host);
    with_kernel(async |kernel| {
        for wire in &missing {
            // A host that has no process is dark: it gets its cable when it gets power.
            let Some(pid) = paths::first_process(&wire.host) else { continue };
            lay(kernel, wire, pid).await.map_err(|error| told(wire, error))?;
        }
        Ok(())
    })?;
    for wire in missing {
        let connected = paths::from_host(&wire.host, || with_kernel(async |kernel| connect(kernel, wire).await));
        connected.unwrap_or(Ok(())).map_err(|error| told(wire, error))?;
    }
    Ok(())
}

/// Takes away the cables of a run that are still there; returns what cannot be taken away.
pub fn unplug(short: &str) -> Vec<String> {
    let prefix = prefix(short);
    let there = std::fs::read_to_string("/proc/self/net/dev").unwrap_or_default();
    let names = there.lines().filter_map(|line| Some(line.split_once(':')?.0.trim()));
    let ours: Vec<&str> = names.filter(|name| name.starts_with(&prefix)).collect();
    if ours.is_empty() {
        return Vec::new();
    }
    let mut left = Vec::new();
    let removed = with_kernel(async |kernel| {
        for name in &ours {
            // One that is gone by now went with its host.
            if let Err(why) = remove(kernel, name).await
                && index(name).is_ok()
            {
                left.push(format!("{name} ({why})"));
            }
        }
        Ok(())
    });
    left.extend(removed.err());
    left
}

/// Whether a host has its way out, which is the last thing that it gets.
fn is_plugged(wire: &Wire) -> bool {
    let routes =
        paths::first_process(&wire.host).and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/net/route")).ok());
    routes.is_some_and(|routes| has_way_out(&routes))
}

/// Whether there is a default route in `/proc/net/route` (`proc(5)`: interface and destination, hexadecimal).
fn has_way_out(routes: &str) -> bool {
    let words = routes.lines().map(|line| line.split_ascii_whitespace().take(2).collect::<Vec<_>>());
    words.into_iter().any(|words| words == [INSIDE, "00000000"])
}

/// The hardware address that belongs to an address: neighbours of a host that comes back know it still. The engine gives
/// them in the same way (`02:42`, then the address).
fn hardware(address: Ipv4Addr) -> Vec<u8> {
    [0x02, 0x42].into_iter().chain(address.octets()).collect()
}

/// Lays the cable of a host: both ends, the outer one on the bridge.
async fn lay(kernel: &Handle, wire: &Wire, pid: i32) -> Result<(), String> {
    // An earlier one lingers for a moment after its host's end, or has no address because a hand died over it.
    if index(&wire.interface).is_ok()
        && let Err(why) = remove(kernel, &wire.interface).await
        && index(&wire.interface).is_ok()
    {
        return Err(why);
    }
    let bridge = index(&wire.bridge).map_err(|error| format!("no bridge {}: {error}", wire.bridge))?;
    let inner = LinkMessageBuilder::<LinkUnspec>::new()
        .name(INSIDE)
        .address(hardware(wire.address))
        .setns_by_pid(pid.unsigned_abs())
        .build();
    let outer = LinkVeth::new(&wire.interface, INSIDE)
        .set_info_data(InfoData::Veth(InfoVeth::Peer(inner)))
        .controller(bridge)
        .up()
        .build();
    kernel.link().add(outer).execute().await.map_err(|error| error.to_string())
}

/// Gives the host's end its address and its way out; from inside the host's namespace.
async fn connect(kernel: &Handle, wire: &Wire) -> Result<(), String> {
    let told = |error: rtnetlink::Error| error.to_string();
    let index = index(INSIDE).map_err(|error| format!("no {INSIDE}: {error}"))?;
    kernel.address().add(index, wire.address.into(), wire.prefix).execute().await.map_err(told)?;
    let up = LinkUnspec::new_with_index(index).up().build();
    kernel.link().set(up).execute().await.map_err(told)?;
    let out = RouteMessageBuilder::<Ipv4Addr>::new().gateway(wire.gateway).output_interface(index);
    // A host that is alone in its subnet has its gateway outside of that, at the other end of its cable.
    let out = if wire.prefix == ALONE { out.onlink() } else { out };
    kernel.route().add(out.build()).execute().await.map_err(told)
}

async fn remove(kernel: &Handle, name: &str) -> Result<(), String> {
    let index = index(name).map_err(|error| error.to_string())?;
    kernel.link().del(index).execute().await.map_err(|error| error.to_string())
}

/// An interface's number in the namespace of this thread.
pub(crate) fn index(name: &str) -> std::io::Result<u32> {
    let asked = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    Ok(name_to_index(asked, name)?)
}

/// Talks with the kernel about the namespace of this thread.
pub(crate) fn with_kernel<T>(act: impl AsyncFnOnce(&Handle) -> Result<T, String>) -> Result<T, String> {
    let told = |error: std::io::Error| format!("no conversation with the kernel: {error}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(told)?;
    runtime.block_on(async {
        let (connection, kernel, _news) = rtnetlink::new_connection().map_err(told)?;
        tokio::spawn(connection);
        act(&kernel).await
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_into_what_the_kernel_allows() {
        assert_eq!(name("0abc12", 999_999), "bs0abc12h999999");
        assert!(name("0abc12", 999_999).len() <= 15);
    }

    #[test]
    fn only_a_default_route_of_its_own_interface_is_a_way_out() {
        let head = "Iface\tDestination\tGateway\tFlags\n";
        assert!(!has_way_out(head));
        assert!(!has_way_out(&format!("{head}eth0\t000012C6\t00000000\t0001\n")));
        assert!(has_way_out(&format!("{head}eth0\t00000000\t010012C6\t0003\n")));
    }

    #[test]
    fn an_address_has_one_hardware_address() {
        assert_eq!(hardware(Ipv4Addr::new(198, 18, 0, 4)), [2, 0x42, 198, 18, 0, 4]);
    }
}
