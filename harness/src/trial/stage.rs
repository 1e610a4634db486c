//! Owns what an image on trial stands on: the program that holds its network, and is everybody whom it can reach. Refuses
//! to decide how they are played.
//!
//! The image shares the network of this container, which the engine plugs nothing into. One end of a cable is its only
//! interface; the other end is no interface of the kernel's stack but ours: every packet that the image sends is read
//! here, whatever name, address and port it is for. So nothing has to be known beforehand, nothing gets out, nothing goes
//! unseen, and a connection to a plain address is seen as well as one to a name.
//!
//! - [`cable`]: the network itself; [`wire`]: packets, one after the other; [`company`]: who is who, and how played
//! - [`names`]: the name server's words; [`talk`]: what somebody who is there says; [`ask`]: questions to the image

mod ask;
mod cable;
mod company;
mod names;
mod talk;
mod wire;

use super::protocol::{Cast, Order, Seen};
use agents::runtime::clock::mono_ns;
use company::Company;
use smoltcp::phy::wait;
use smoltcp::time::Duration;
use std::io::{BufRead, Write};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use talk::Notary;
use wire::Wire;

/// The hidden command.
pub const COMMAND: &str = "stage";
/// Orders are looked for so often, in milliseconds; packets are answered at once.
const LOOK_MS: u64 = 10;
/// What was counted is told so often, in nanoseconds.
const TELL_NS: u64 = 50_000_000;

/// Where everything that was seen is told; clones share it.
#[derive(Clone)]
pub(super) struct Teller(Arc<Mutex<std::io::Stdout>>);

impl Teller {
    fn tell(&self, seen: &Seen) {
        let mut line = serde_json::to_vec(seen).unwrap_or_default();
        line.push(b'\n');
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The controller is gone: the end of orders says so too.
        let _gone = out.write_all(&line).and_then(|()| out.flush());
    }
}

/// The body of `blackstart stage CAST`: plays until there are no more orders.
///
/// # Errors
/// Where it has no rights on its network, or the cast makes no sense.
pub fn run(cast: &str) -> std::io::Result<()> {
    let mut cast: Cast = serde_json::from_str(cast)?;
    cable::lay(&cast.hostname).map_err(std::io::Error::other)?;
    let notary = cast.authority.take().map(Notary::new);
    let mut wire = Wire::open(cable::OUTER, Company::new(cast), notary)?;
    let teller = Teller(Arc::new(Mutex::new(std::io::stdout())));
    let orders = orders();
    teller.tell(&Seen::Ready);
    let mut told_ns = 0;
    loop {
        wait(wire.as_raw_fd(), Some(wire.pause(Duration::from_millis(LOOK_MS))))?;
        loop {
            match orders.try_recv() {
                Ok(Order::Rules(rules)) => wire.play(rules),
                Ok(Order::Ask { id, question, within_ms }) => ask::begin(id, question, within_ms, teller.clone()),
                Err(mpsc::TryRecvError::Empty) => break,
                // Whoever was to be shown this is gone.
                Err(mpsc::TryRecvError::Disconnected) => return Ok(()),
            }
        }
        wire.turn();
        let now = mono_ns();
        if now - told_ns > TELL_NS {
            told_ns = now;
            wire.company().counted().iter().for_each(|seen| teller.tell(seen));
        }
    }
}

/// Orders, read by a thread of their own.
fn orders() -> mpsc::Receiver<Order> {
    let (sender, orders) = mpsc::channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            match serde_json::from_str(&line) {
                Ok(order) => {
                    if sender.send(order).is_err() {
                        return;
                    }
                }
                Err(error) => eprintln!("an order was not understood: {error}"),
            }
        }
    });
    orders
}
