//! Owns the witness: one process outside every zone that probes all instances, collects the agents' notes and keeps
//! the ledger of acknowledged writes. Refuses to judge, and knows no faults.
//!
//! - [`protocol`]: what it is told and what it tells
//! - [`watcher`], [`ledger`], [`history`]: what it decides, sans-IO; the simulator drives the same

mod history;
mod ledger;
pub mod protocol;
mod switch;
pub mod watcher;

use agents::machine::{Nanos, Outcome as Bytes};
use agents::runtime::client::Client;
use agents::runtime::clock::mono_ns;
use agents::runtime::tls::Tls;
use agents::wire::{Ask, Line, Reply, Text};
use protocol::{Seen, Tell, Watch};
use rustix::time::{ClockId, clock_gettime};
use std::cell::RefCell;
use std::io::{BufRead, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use watcher::{Errand, Out, Watcher};

/// The port on which agents leave their notes.
pub const NOTES_PORT: u16 = 7_000;

/// Where lines to the controller go; a writer thread puts them on standard output.
#[derive(Debug, Clone)]
struct Lines(std::sync::mpsc::Sender<Seen>);

impl Lines {
    fn send(&self, seen: Seen) {
        // The receiver ends with the process: then nobody reads this either.
        let _ended = self.0.send(seen);
    }
}

/// Runs the witness until its standard input ends. Notes are left at this address; without one at every address of its
/// container, on [`NOTES_PORT`].
///
/// # Errors
/// Where the port for notes is taken, or no address is given by the name of one.
pub fn run(notes: Option<&str>) -> std::io::Result<()> {
    let notes: SocketAddr = match notes {
        Some(notes) => notes.parse().map_err(std::io::Error::other)?,
        None => SocketAddr::from(([0, 0, 0, 0], NOTES_PORT)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let (told, mut tells) = mpsc::channel(64);
    std::thread::spawn(move || read_tells(&told));
    let lines = Lines(start_writer());
    tokio::task::LocalSet::new().block_on(&runtime, async move {
        let listener = TcpListener::bind(notes).await?;
        tokio::task::spawn_local(collect(listener, lines.clone()));
        let mut desk: Option<Rc<Desk>> = None;
        while let Some(tell) = tells.recv().await {
            match (tell, &desk) {
                (Tell::Begin(watch), _) => desk = Some(Desk::open(*watch, lines.clone())),
                (Tell::Ping(ping), _) => lines.send(Seen::Pong { ping, mono_ns: mono_ns(), wall_ns: wall_ns() }),
                (Tell::Switch(order), Some(desk)) => desk.feed(|watcher, now, out| watcher.switch(now, order, out)),
                (Tell::Relit(instances), Some(desk)) => desk.feed(|watcher, _, _| watcher.relit(&instances)),
                (Tell::Versions, Some(desk)) => desk.feed(|watcher, _, out| watcher.versions(out)),
                (Tell::Ask(errand), Some(desk)) => desk.run(*errand),
                (Tell::Ask(errand), None) => lines.send(Seen::Answered { number: errand.number, reply: None }),
                (Tell::Switch(_) | Tell::Relit(_) | Tell::Versions, None) => {}
                (Tell::ReadBack, Some(desk)) => desk.feed(Watcher::read_back),
                (Tell::ReadBack, None) => lines.send(Seen::ReadBackDone),
            }
        }
        Ok(())
    })
}

fn read_tells(told: &mpsc::Sender<Tell>) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        match serde_json::from_str(&line) {
            Ok(tell) => {
                if told.blocking_send(tell).is_err() {
                    return;
                }
            }
            Err(error) => eprintln!("the witness does not understand a line: {error}"),
        }
    }
}

fn start_writer() -> std::sync::mpsc::Sender<Seen> {
    let (sender, receiver) = std::sync::mpsc::channel::<Seen>();
    std::thread::spawn(move || {
        let mut out = std::io::stdout().lock();
        while let Ok(seen) = receiver.recv() {
            let Ok(mut line) = serde_json::to_vec(&seen) else { continue };
            line.push(b'\n');
            if out.write_all(&line).and_then(|()| out.flush()).is_err() {
                return;
            }
        }
    });
    sender
}

/// Takes the agents' connections.
async fn collect(listener: TcpListener, lines: Lines) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::task::spawn_local(read_notes(stream, lines.clone()));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn read_notes(stream: TcpStream, lines: Lines) {
    let mut reader = BufReader::new(stream).lines();
    while let Ok(Some(text)) = reader.next_line().await {
        match serde_json::from_str::<Line>(&text) {
            Ok(line) => lines.send(Seen::Line(line)),
            Err(error) => eprintln!("a note is not understood: {error}"),
        }
    }
}

/// The watcher with what surrounds it; all of it lives on one thread.
struct Desk {
    watcher: RefCell<Watcher>,
    client: Client,
    lines: Lines,
}

impl Desk {
    fn open(watch: Watch, lines: Lines) -> Rc<Self> {
        // Whoever is outside shows nothing, and believes the run's root alone.
        let tls = watch.root.as_deref().and_then(|root| Tls::new(root, false).ok()).map(Rc::new);
        let client = Client::with_tls(tls, Vec::new());
        let desk = Rc::new(Self { watcher: RefCell::new(Watcher::new(watch)), client, lines });
        desk.feed(Watcher::begin);
        desk
    }

    fn feed(self: &Rc<Self>, step: impl FnOnce(&mut Watcher, Nanos, &mut Vec<Out>)) {
        let mut outs = Vec::new();
        step(&mut self.watcher.borrow_mut(), mono_ns(), &mut outs);
        for out in outs {
            match out {
                Out::Seen(seen) => self.lines.send(seen),
                Out::Later { at, errand } => self.turn_at(at, errand),
                Out::Ask { errand, to, secure, ask, timeout_ns } => self.ask(errand, to, secure, ask, timeout_ns),
            }
        }
    }

    fn turn_at(self: &Rc<Self>, at: Nanos, errand: Errand) {
        let desk = Rc::clone(self);
        tokio::task::spawn_local(async move {
            tokio::time::sleep(Duration::from_nanos(at.saturating_sub(mono_ns()))).await;
            desk.feed(|watcher, now, out| watcher.turn(now, errand, out));
        });
    }

    fn ask(self: &Rc<Self>, errand: Errand, to: SocketAddr, secure: Option<Text>, ask: Ask, timeout_ns: Nanos) {
        let desk = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let result = desk.answer(to, secure, &ask, timeout_ns).await;
            desk.feed(|watcher, now, out| watcher.answered(now, errand, result, out));
        });
    }

    /// Asks for somebody else.
    fn run(self: &Rc<Self>, errand: protocol::Errand) {
        let desk = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let protocol::Errand { number, probe, timeout_ns, .. } = errand;
            let target = desk.watcher.borrow().target(probe);
            let reply = match target {
                Some((to, secure)) => desk.answer(to, secure, &errand.ask(), timeout_ns).await.ok().map(Box::new),
                None => None,
            };
            desk.lines.send(Seen::Answered { number, reply });
        });
    }

    async fn answer(
        &self,
        to: SocketAddr,
        secure: Option<Text>,
        ask: &Ask,
        timeout_ns: Nanos,
    ) -> Result<Reply, &'static str> {
        let asking = self.client.ask(to, secure, None, ask, timeout_ns, |_| {});
        let Ok((outcome, conn)) = tokio::time::timeout(Duration::from_nanos(timeout_ns), asking).await else {
            return Err("timeout");
        };
        if let Some(conn) = conn {
            self.client.drop_conn(conn);
        }
        match outcome {
            Bytes::Reply(reply) => Ok(reply),
            silent => Err(silence(&silent)),
        }
    }
}

/// The word for an attempt without an answer.
pub fn silence(outcome: &Bytes) -> &'static str {
    match outcome {
        Bytes::Reply(_) => "",
        Bytes::Refused => "refused",
        Bytes::Unreachable => "unreachable",
        Bytes::Broken => "broken",
        Bytes::Untrusted => "untrusted",
    }
}

fn wall_ns() -> u64 {
    let now = clock_gettime(ClockId::Realtime);
    u64::try_from(now.tv_sec).unwrap_or_default() * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or_default()
}
