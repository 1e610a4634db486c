//! Owns the witness: one process outside every zone that probes all instances, collects the agents' notes and keeps
//! the ledger of acknowledged writes. Refuses to judge, and knows no faults.
//!
//! - [`protocol`]: what it is told and what it tells
//! - [`probe`], [`ledger`]: what it does

mod ledger;
mod probe;
pub mod protocol;

use agents::machine::Outcome as Bytes;
use agents::runtime::client::Client;
use agents::runtime::clock::mono_ns;
use agents::wire::{Ask, Line, Reply};
use ledger::Ledger;
use protocol::{Seen, Tell, Watch};
use rustix::time::{ClockId, clock_gettime};
use std::io::{BufRead, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

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

/// Runs the witness until its standard input ends.
///
/// # Errors
/// Where the port for notes is taken.
pub fn run() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let (told, mut tells) = mpsc::channel(64);
    std::thread::spawn(move || read_tells(&told));
    let lines = Lines(start_writer());
    tokio::task::LocalSet::new().block_on(&runtime, async move {
        let listener = TcpListener::bind(("0.0.0.0", NOTES_PORT)).await?;
        tokio::task::spawn_local(collect(listener, lines.clone()));
        let ledger = Rc::new(Ledger::default());
        let mut watched: Option<Rc<Watch>> = None;
        while let Some(tell) = tells.recv().await {
            match tell {
                Tell::Begin(watch) => {
                    let watch = Rc::new(*watch);
                    probe::start(&watch, &lines);
                    ledger::start(&ledger, &watch, &lines);
                    watched = Some(watch);
                }
                Tell::Ping(ping) => lines.send(Seen::Pong { ping, mono_ns: mono_ns(), wall_ns: wall_ns() }),
                Tell::ReadBack => match &watched {
                    Some(watch) => ledger::read_back(&ledger, watch, &lines).await,
                    None => lines.send(Seen::ReadBackDone),
                },
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

/// Asks once over a new connection, so that a look from outside never rests on an old one.
async fn ask(client: &Client, to: SocketAddr, ask: &Ask, timeout: Duration) -> Result<Reply, String> {
    let remaining = agents::config::nanos(timeout);
    match tokio::time::timeout(timeout, client.ask(to, None, ask, remaining, |_| {})).await {
        Err(_) => Err("timeout".to_owned()),
        Ok((outcome, conn)) => {
            if let Some(conn) = conn {
                client.drop_conn(conn);
            }
            match outcome {
                Bytes::Reply(reply) => Ok(reply),
                Bytes::Refused => Err("refused".to_owned()),
                Bytes::Unreachable => Err("unreachable".to_owned()),
                Bytes::Broken => Err("broken".to_owned()),
            }
        }
    }
}

fn wall_ns() -> u64 {
    let now = clock_gettime(ClockId::Realtime);
    u64::try_from(now.tv_sec).unwrap_or_default() * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or_default()
}
