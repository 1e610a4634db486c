//! Owns the packets of an image on trial, one after the other: whom each is for, whether it vanishes, and who accepts it.
//! Refuses to decide how anybody is played ([`super::company`]), and what is said ([`super::talk`]).

use super::super::protocol::{GATEWAY, IMAGE, PREFIX, Rules};
use super::company::Company;
use super::names;
use super::talk::{Notary, Part, Talk};
use agents::runtime::clock::mono_ns;
use scenarios::trial::Play;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Checksum, Device, DeviceCapabilities, Medium, RawSocket, RxToken};
use smoltcp::socket::{tcp, udp};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, HardwareAddress, IpCidr, IpListenEndpoint, IpProtocol,
    Ipv4Packet, TcpPacket, UdpPacket,
};
use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, RawFd};

/// The port of DNS.
const DNS: u16 = 53;
/// Bytes that a connection holds each way.
const BUFFER: usize = 32 * 1024;
/// Connections that are held at once: one more is dropped, as by a machine that is full.
const CONNECTIONS_MAX: usize = 2_000;

/// Our end of the cable, with what was let through.
struct Gate {
    socket: RawSocket,
    passed: VecDeque<Vec<u8>>,
}

/// A packet that was let through.
struct Passed(Vec<u8>);

impl RxToken for Passed {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl Device for Gate {
    type RxToken<'a> = Passed;
    type TxToken<'a> = <RawSocket as Device>::TxToken<'a>;

    fn receive(&mut self, now: Instant) -> Option<(Passed, Self::TxToken<'_>)> {
        let packet = self.passed.pop_front()?;
        Some((Passed(packet), self.socket.transmit(now)?))
    }

    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
        self.socket.transmit(now)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = self.socket.capabilities();
        // The kernel leaves sums to the hardware, of which there is none.
        capabilities.checksum.tcp = Checksum::Tx;
        capabilities.checksum.udp = Checksum::Tx;
        capabilities
    }
}

/// One connection that was accepted.
struct Connection {
    socket: SocketHandle,
    who: String,
    port: u16,
    talk: Talk,
    unsaid: Vec<u8>,
    close: bool,
}

/// Who a connection is between: address, port, and the image's own port.
type Ends = (Ipv4Addr, u16, u16);

/// Everything that happens on the cable.
pub(super) struct Wire {
    gate: Gate,
    interface: Interface,
    sockets: SocketSet<'static>,
    dns: SocketHandle,
    connections: Vec<Connection>,
    /// The number that each connection began with: the same again is another try of the kernel's, and none of the image's.
    begun: BTreeMap<Ends, i32>,
    company: Company,
    notary: Option<Notary>,
}

fn now() -> Instant {
    Instant::from_micros(i64::try_from(mono_ns() / 1_000).unwrap_or(i64::MAX))
}

impl AsRawFd for Wire {
    fn as_raw_fd(&self) -> RawFd {
        self.gate.socket.as_raw_fd()
    }
}

impl Wire {
    /// Takes an interface, which must be up. Without a notary nobody is answered over TLS.
    pub(super) fn open(interface: &str, company: Company, notary: Option<Notary>) -> std::io::Result<Self> {
        let mut gate = Gate { socket: RawSocket::new(interface, Medium::Ethernet)?, passed: VecDeque::new() };
        let hardware = EthernetAddress([0x02, 0x42, 198, 18, 0, 1]);
        let mut config = Config::new(HardwareAddress::Ethernet(hardware));
        config.random_seed = mono_ns();
        let mut interface = Interface::new(config, &mut gate, now());
        interface.update_ip_addrs(|addresses| {
            // The list was empty, and has room for more than one.
            let _room = addresses.push(IpCidr::new(GATEWAY.into(), PREFIX));
        });
        interface.set_any_ip(true);
        let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 64], vec![0; BUFFER]);
        let mut dns = udp::Socket::new(buffer(), buffer());
        dns.bind(IpListenEndpoint { addr: Some(GATEWAY.into()), port: DNS })
            .map_err(|error| std::io::Error::other(error.to_string()))?;
        let mut sockets = SocketSet::new(Vec::new());
        let dns = sockets.add(dns);
        let (connections, begun) = (Vec::new(), BTreeMap::new());
        Ok(Self { gate, interface, sockets, dns, connections, begun, company, notary })
    }

    pub(super) fn company(&mut self) -> &mut Company {
        &mut self.company
    }

    /// How long nothing has to be done, at most so long.
    pub(super) fn pause(&mut self, most: Duration) -> Duration {
        self.interface.poll_delay(now(), &self.sockets).map_or(most, |delay| delay.min(most))
    }

    /// Plays everybody otherwise from now on: connections to those who are gone end as theirs would.
    pub(super) fn play(&mut self, rules: Rules) {
        self.company.set(rules);
        self.connections.retain(|connection| match self.company.play(&connection.who, connection.port) {
            Play::Vanish | Play::Absent => {
                drop(self.sockets.remove(connection.socket));
                false
            }
            Play::Refuse => {
                self.sockets.get_mut::<tcp::Socket<'_>>(connection.socket).abort();
                true
            }
            Play::Hang | Play::Fail | Play::Answer => true,
        });
    }

    /// Reads what there is, and answers it.
    pub(super) fn turn(&mut self) {
        while let Some((packet, _)) = self.gate.socket.receive(now()) {
            let packet = packet.consume(<[u8]>::to_vec);
            if self.passes(&packet).unwrap_or_default() {
                self.gate.passed.push_back(packet);
            }
        }
        self.interface.poll(now(), &mut self.gate, &mut self.sockets);
        self.answer_names();
        self.serve();
        self.interface.poll(now(), &mut self.gate, &mut self.sockets);
        self.sweep();
    }

    /// Whether a packet arrives anywhere; nothing where it is none that anybody here understands.
    fn passes(&mut self, packet: &[u8]) -> Option<bool> {
        let frame = EthernetFrame::new_checked(packet).ok()?;
        match frame.ethertype() {
            EthernetProtocol::Arp => return Some(true),
            EthernetProtocol::Ipv4 => {}
            _ => return None,
        }
        let ip = Ipv4Packet::new_checked(frame.payload()).ok()?;
        if ip.src_addr() != IMAGE {
            return None;
        }
        let to = ip.dst_addr();
        match ip.next_header() {
            IpProtocol::Tcp => {
                let segment = TcpPacket::new_checked(ip.payload()).ok()?;
                let ends = (to, segment.dst_port(), segment.src_port());
                let begins = (segment.syn() && !segment.ack()).then(|| segment.seq_number().0);
                Some(self.tcp(ends, begins))
            }
            IpProtocol::Udp => {
                let datagram = UdpPacket::new_checked(ip.payload()).ok()?;
                Some(self.udp(to, datagram.dst_port()))
            }
            _ => Some(to == GATEWAY),
        }
    }

    fn udp(&mut self, to: Ipv4Addr, port: u16) -> bool {
        if to == GATEWAY {
            return true;
        }
        if to.is_multicast() || to.is_broadcast() {
            return false;
        }
        let who = self.company.who(to);
        // Where nobody listens the answer is ICMP's, and that is what refusing is.
        let passes = self.company.play(&who, port) == Play::Refuse;
        self.company.wanted(who, port, true, None);
        passes
    }

    fn tcp(&mut self, ends: Ends, begins: Option<i32>) -> bool {
        let (to, port, _) = ends;
        if to == GATEWAY {
            return true;
        }
        let who = self.company.who(to);
        let play = self.company.play(&who, port);
        if let Some(number) = begins
            && self.begun.insert(ends, number) != Some(number)
        {
            self.company.wanted(who.clone(), port, false, None);
        }
        match play {
            Play::Vanish | Play::Absent => false,
            Play::Refuse => true,
            Play::Hang | Play::Fail | Play::Answer => begins.is_none() || self.accept(to, port, who),
        }
    }

    /// Makes ready for one connection more to somebody.
    fn accept(&mut self, to: Ipv4Addr, port: u16, who: String) -> bool {
        if self.connections.len() >= CONNECTIONS_MAX {
            return false;
        }
        let buffer = || tcp::SocketBuffer::new(vec![0; BUFFER]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.set_nagle_enabled(false);
        if socket.listen(IpListenEndpoint { addr: Some(to.into()), port }).is_err() {
            return false;
        }
        let socket = self.sockets.add(socket);
        let (talk, unsaid) = (Talk::default(), Vec::new());
        self.connections.push(Connection { socket, who, port, talk, unsaid, close: false });
        true
    }

    fn answer_names(&mut self) {
        let socket = self.sockets.get_mut::<udp::Socket<'_>>(self.dns);
        while let Ok((question, from)) = socket.recv() {
            let question = question.to_vec();
            let Some(answer) = names::answer(&question, |name| self.company.look_up(name)) else { continue };
            // A full buffer loses it, as networks do; whoever asked asks again.
            let _full = socket.send_slice(&answer, from);
        }
    }

    fn serve(&mut self) {
        for connection in &mut self.connections {
            let play = self.company.play(&connection.who, connection.port);
            if !matches!(play, Play::Fail | Play::Answer) {
                continue;
            }
            let socket = self.sockets.get_mut::<tcp::Socket<'_>>(connection.socket);
            let mut heard = Vec::new();
            while socket.can_recv() {
                let more = socket.recv(|bytes| (bytes.len(), bytes.to_vec()));
                heard.extend(more.unwrap_or_default());
            }
            if !heard.is_empty() {
                let page = self.company.page(&connection.who, connection.port);
                let (who, notary) = (connection.who.as_str(), self.notary.as_mut());
                let said = connection.talk.hear(&heard, &mut Part { play, page: &page, who, notary });
                connection.unsaid.extend(said.bytes);
                connection.close |= said.close;
                if said.request.is_some() {
                    self.company.wanted(connection.who.clone(), connection.port, false, said.request);
                }
            }
            let sent = socket.send_slice(&connection.unsaid).unwrap_or_default();
            connection.unsaid.drain(..sent);
            let ended = socket.state() == tcp::State::CloseWait;
            if (connection.close || ended) && connection.unsaid.is_empty() {
                socket.close();
            }
        }
    }

    /// Forgets connections that have ended. One that waits for its first packet, which was let through, has it by now.
    fn sweep(&mut self) {
        self.connections.retain(|connection| {
            let state = self.sockets.get::<tcp::Socket<'_>>(connection.socket).state();
            let over = matches!(state, tcp::State::Closed | tcp::State::TimeWait | tcp::State::Listen);
            if over {
                drop(self.sockets.remove(connection.socket));
            }
            !over
        });
    }
}
