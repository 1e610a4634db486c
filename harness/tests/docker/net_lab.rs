//! Owns a small region of its own: bridges and hosts that are network namespaces, in a network and mount namespace that
//! nothing else on the machine sees. It ends with the process, whatever happens to that. Refuses to judge.

use agents::runtime::clock::mono_ns;
use harness::hand::net::{Net, NetworkFault, Pids};
use harness::hand::protocol::{LinkAct, LinkRule, PathProbe, Shape, Target};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// The run's short id in the lab.
pub(crate) const SHORT: &str = "1ab000";
/// Where each host echoes, over TCP and UDP.
pub(crate) const ECHO: u16 = 7_000;
/// Where each host takes whatever comes, over TCP and UDP.
pub(crate) const SINK: u16 = 7_001;

const INSIDE: &str = "BLACKSTART_NET_LAB";
/// The namespace's own `/sys` shows its own interfaces; only that part is put over the machine's.
const SET_UP: &str = "set -e
dir=$(mktemp -d)
mount -t tmpfs none $dir
mkdir $dir/sys
mount -t sysfs none $dir/sys
mount --bind $dir/sys/class/net /sys/class/net
mount --bind $dir/sys/devices/virtual/net /sys/devices/virtual/net
umount $dir/sys
umount $dir
rmdir $dir
ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward
iptables -w -N DOCKER-USER
iptables -w -A DOCKER-USER -j RETURN
iptables -w -A FORWARD -j DOCKER-USER
iptables -w -P FORWARD DROP
exec \"$0\" \"$@\"";

/// Whether this process is in namespaces of its own; if not, runs itself there with these arguments, and says `false`
/// when that ended well.
pub(crate) fn inside(arguments: &[&str]) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    if !rustix::process::geteuid().is_root() {
        let required = std::env::var_os("BLACKSTART_REQUIRE_DOCKER").is_some_and(|value| value == "1");
        assert!(!required, "BLACKSTART_REQUIRE_DOCKER is set, and this is not root");
        eprintln!("SKIPPED: this test makes network namespaces, which needs root");
        return false;
    }
    let status = Command::new("unshare")
        .args(["--net", "--mount", "sh", "-c", SET_UP])
        .arg(std::env::current_exe().expect("it has a path"))
        .args(arguments)
        .env(INSIDE, "1")
        .status()
        .expect("unshare can be run");
    assert!(status.success(), "{arguments:?} in namespaces of its own: {status}");
    false
}

#[track_caller]
pub(crate) fn shell(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().expect("it can be run");
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// One host: a network namespace with a process in it.
pub(crate) struct Host {
    child: Child,
    pub(crate) address: Ipv4Addr,
    /// Bytes and datagrams that came to the sink.
    pub(crate) sunk: Arc<(AtomicU64, AtomicU64)>,
}

impl Host {
    fn start(bridge: &str, zone: u8, number: u8) -> Self {
        let child = Command::new("unshare").args(["--net", "cat"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        let child = child.expect("a process can be started");
        let ours = std::fs::read_link("/proc/self/ns/net").expect("we are in one");
        let theirs = format!("/proc/{}/ns/net", child.id());
        while std::fs::read_link(&theirs).is_ok_and(|theirs| theirs == ours) {
            std::thread::yield_now();
        }
        let address = Ipv4Addr::new(10, 77, zone, 10 + number);
        let (end, pid) = (format!("v{zone}h{number}"), child.id().to_string());
        let peer = ["type", "veth", "peer", "name", "eth0", "netns", &pid];
        shell("ip", &[&["link", "add", &end, "master", bridge, "up"][..], &peer].concat());
        let within = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            shell("nsenter", &[&["-t", &pid, "-n", "ip"][..], &words].concat())
        };
        within("link set lo up");
        within(&format!("addr add {address}/24 dev eth0"));
        within("link set eth0 up");
        within(&format!("route add default via 10.77.{zone}.1"));
        let host = Self { child, address, sunk: Arc::default() };
        host.serve();
        host
    }

    /// Runs something on a thread inside the host.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        what: impl FnOnce() -> T + Send + 'static,
    ) -> std::thread::JoinHandle<T> {
        let file = File::open(format!("/proc/{}/ns/net", self.child.id())).expect("it lives");
        std::thread::spawn(move || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).expect("we are root");
            what()
        })
    }

    fn serve(&self) {
        let (ready, made) = std::sync::mpsc::channel();
        let sunk = Arc::clone(&self.sunk);
        self.run(move || {
            let echo = TcpListener::bind(("0.0.0.0", ECHO)).expect("it is free");
            let sink = TcpListener::bind(("0.0.0.0", SINK)).expect("it is free");
            let udp_echo = UdpSocket::bind(("0.0.0.0", ECHO)).expect("it is free");
            let udp_sink = UdpSocket::bind(("0.0.0.0", SINK)).expect("it is free");
            let _ = ready.send(());
            let (streams, datagrams) = (Arc::clone(&sunk), sunk);
            std::thread::spawn(move || accept(&echo, |mut stream, bytes| stream.write_all(bytes).is_ok()));
            std::thread::spawn(move || {
                accept(&sink, move |_, bytes| {
                    streams.0.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                    true
                });
            });
            std::thread::spawn(move || {
                let mut buffer = [0; 2048];
                while let Ok((length, from)) = udp_echo.recv_from(&mut buffer) {
                    let _ = udp_echo.send_to(&buffer[..length], from);
                }
            });
            let mut buffer = [0; 2048];
            while udp_sink.recv(&mut buffer).is_ok() {
                datagrams.1.fetch_add(1, Ordering::Relaxed);
            }
        });
        made.recv().expect("it serves");
    }

    pub(crate) fn at(&self, port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(self.address, port)
    }

    pub(crate) fn target(&self) -> Target {
        Target { host: self.address.to_string(), cgroup: self.child.id().to_string() }
    }

    /// Round trips of datagrams to another host's echo, `a_second` of them, in nanoseconds; what does not come back
    /// within two seconds is lost.
    pub(crate) fn round_trips(&self, to: &Self, count: u64, a_second: u64) -> Vec<u64> {
        let to = to.at(ECHO);
        let task = self.run(move || {
            let socket = UdpSocket::bind("0.0.0.0:0").expect("there are ports");
            socket.connect(to).expect("it has a route");
            let back = socket.try_clone().expect("it can be shared");
            back.set_read_timeout(Some(Duration::from_secs(2))).expect("a time-out");
            let reader = std::thread::spawn(move || {
                let (mut trips, mut buffer) = (Vec::new(), [0; 64]);
                while (trips.len() as u64) < count && back.recv(&mut buffer).is_ok() {
                    trips.push(mono_ns() - u64::from_le_bytes(buffer[..8].try_into().expect("eight bytes")));
                }
                trips
            });
            let began = mono_ns();
            for number in 0..count {
                let due = began + number * 1_000_000_000 / a_second;
                std::thread::sleep(Duration::from_nanos(due.saturating_sub(mono_ns())));
                let _ = socket.send(&mono_ns().to_le_bytes());
            }
            reader.join().expect("it reads")
        });
        task.join().expect("it sends")
    }

    /// Sends datagrams to another host's sink; returns how many came. The last ones are a mark that is repeated until
    /// no more come.
    pub(crate) fn datagrams(&self, to: &Self, count: u64, a_second: u64) -> u64 {
        let (sunk, address) = (Arc::clone(&to.sunk), to.at(SINK));
        let before = sunk.1.load(Ordering::Relaxed);
        let task = self.run(move || {
            let socket = UdpSocket::bind("0.0.0.0:0").expect("there are ports");
            let began = mono_ns();
            for number in 0..count {
                let due = began + number * 1_000_000_000 / a_second;
                std::thread::sleep(Duration::from_nanos(due.saturating_sub(mono_ns())));
                let _ = socket.send_to(&[0; 100], address);
            }
        });
        task.join().expect("it sends");
        let mut seen = u64::MAX;
        while seen != sunk.1.load(Ordering::Relaxed) {
            seen = sunk.1.load(Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(100));
        }
        seen - before
    }

    /// Writes as much as goes to another host's sink for so long; returns bytes a second that came.
    pub(crate) fn bulk(&self, to: &Self, seconds: u64) -> f64 {
        let (sunk, address) = (Arc::clone(&to.sunk), to.at(SINK));
        let (before, began) = (sunk.0.load(Ordering::Relaxed), mono_ns());
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        let task = self.run(move || {
            let mut stream = TcpStream::connect(address).expect("it listens");
            stream.set_write_timeout(Some(Duration::from_millis(200))).expect("a time-out");
            while !stop.load(Ordering::Relaxed) {
                let _ = stream.write(&[0; 65_536]);
            }
        });
        std::thread::sleep(Duration::from_secs(seconds));
        let came = sunk.0.load(Ordering::Relaxed) - before;
        let took = (mono_ns() - began) as f64 / 1e9;
        stopped.store(true, Ordering::Relaxed);
        task.join().expect("it writes");
        came as f64 / took
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn accept(listener: &TcpListener, on: impl Fn(&TcpStream, &[u8]) -> bool + Clone + Send + 'static) {
    for stream in listener.incoming().flatten() {
        let on = on.clone();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            while let Ok(length) = (&stream).read(&mut buffer) {
                if length == 0 || !on(&stream, &buffer[..length]) {
                    break;
                }
            }
        });
    }
}

/// Two zones of two hosts, and their network.
pub(crate) struct Lab {
    pub(crate) net: Arc<Net>,
    /// By zone, then by number.
    pub(crate) hosts: [[Host; 2]; 2],
}

/// Bridges of the lab.
pub(crate) fn bridges() -> Vec<String> {
    vec!["bz0".to_owned(), "bz1".to_owned()]
}

impl Lab {
    pub(crate) fn start() -> Self {
        for (zone, bridge) in bridges().iter().enumerate() {
            shell("ip", &["link", "add", bridge, "type", "bridge"]);
            shell("ip", &["addr", "add", &format!("10.77.{zone}.1/24"), "dev", bridge]);
            shell("ip", &["link", "set", bridge, "up"]);
        }
        let hosts = [0, 1].map(|zone| [0, 1].map(|number| Host::start(&format!("bz{zone}"), zone, number)));
        let net = Net::start(SHORT, &bridges(), 42).expect("rules can be written");
        assert!(net.caveats().is_empty(), "{:?}", net.caveats());
        assert!(net.shaping().is_ok(), "{:?}", net.shaping());
        Self { net: Arc::new(net), hosts }
    }

    /// A fault on these rules, measured from the first to the second.
    pub(crate) fn fault(&self, rules: Vec<LinkRule>, from: &Host, to: &Host) -> NetworkFault {
        let pids: Pids = Arc::new(|target: &Target| target.cgroup.parse().ok());
        let probe = PathProbe { from: from.target(), to: to.at(ECHO).to_string() };
        NetworkFault::new("the fault", rules, vec![probe], Arc::clone(&self.net), pids)
    }
}

/// Packets from one to the other.
pub(crate) fn rule(from: &str, to: &str, act: LinkAct) -> LinkRule {
    LinkRule { from: vec![from.to_owned()], to: vec![to.to_owned()], act }
}

/// From the first zone to the second.
pub(crate) fn there(act: LinkAct) -> LinkRule {
    rule("10.77.0.0/24", "10.77.1.0/24", act)
}

/// From the second zone to the first.
pub(crate) fn back(act: LinkAct) -> LinkRule {
    rule("10.77.1.0/24", "10.77.0.0/24", act)
}

pub(crate) fn latency(ms: u64) -> LinkAct {
    LinkAct::Shape(Shape { latency_us: ms * 1_000, ..Shape::default() })
}
