//! Owns the picture of a run in the terminal (`run --tui`): a thread of its own reads the run's folder and draws what it
//! finds, until the run is over. Refuses to know what is drawn ([`reports::live::screen`]), and to leave the terminal
//! otherwise than it found it: at the end, after Ctrl-C, after a panic, and while the process is stopped.

use super::follow::{FRAME, Over, Source};
use crate::clock::Clock;
use anyhow::Result;
use reports::live::Picture;
use reports::live::region::Region;
use reports::live::screen::{Screen, draw};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The other screen, without a cursor and without wrapping.
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l\u{1b}[?7l\u{1b}[2J";

/// The screen as it was.
const LEAVE: &str = "\u{1b}[?7h\u{1b}[?25h\u{1b}[?1049l";

/// Where everything goes that is drawn at once, so that nobody sees half of it.
const BEGIN: &str = "\u{1b}[?2026h\u{1b}[H";
const END: &str = "\u{1b}[0J\u{1b}[?2026l";

/// The clock goes on between events for so long, in milliseconds.
const ON_MAX: u64 = 3_000;

/// The size of a terminal that does not tell it.
const USUAL: (u16, u16) = (80, 24);

/// Whether the other screen is shown.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// Whether a signal ends the process: nobody else looks after it. A handler that was set once stays, so that word has to
/// outlive the picture.
static ENDS: AtomicBool = AtomicBool::new(false);

/// Writes to the terminal; one that has gone away must not end the run.
fn write(text: &str) {
    let mut out = std::io::stderr().lock();
    let _gone = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn enter() {
    if !SHOWN.swap(true, Ordering::SeqCst) {
        write(ENTER);
    }
}

/// As often as it is called, and from wherever.
fn leave() {
    if SHOWN.swap(false, Ordering::SeqCst) {
        write(LEAVE);
    }
}

/// From here on somebody else looks after signals.
pub fn leave_signals_to_others() {
    ENDS.store(false, Ordering::SeqCst);
}

/// Who else looks after signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signals {
    /// The run does: it heals and removes everything first, and is watched meanwhile.
    Run,
    /// Nobody: Ctrl-C ends the process.
    Nobody,
}

/// The picture of one run in the terminal; dropped, the terminal is as it was.
#[derive(Debug)]
pub struct Tui {
    over: Over,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Tui {
    /// Whether there is a terminal to draw on.
    pub fn can() -> bool {
        std::io::stderr().is_terminal()
    }

    /// Begins to draw.
    ///
    /// # Errors
    /// Where the system gives no thread, or no signals.
    pub fn start(region: Region, folder: &Path, color: bool, signals: Signals) -> Result<Self> {
        let over = Over::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let drawing = Drawing {
            picture: Picture::new(Arc::new(region)),
            source: Source::new(folder),
            clock: Clock::start(),
            heard: (0, 0),
            color,
        };
        let told = over.clone();
        restore_after_panics();
        ENDS.store(signals == Signals::Nobody, Ordering::SeqCst);
        obey_signals(signals)?;
        enter();
        let thread = std::thread::Builder::new().name("tui".to_owned()).spawn(move || {
            runtime.block_on(drawing.go_on(&told));
            leave();
        });
        let thread = thread.inspect_err(|_| leave())?;
        Ok(Self { over, thread: Some(thread) })
    }
}

impl Drop for Tui {
    fn drop(&mut self) {
        self.over.say();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _said = thread.join();
        }
        leave();
    }
}

/// A panic is told on the screen that stays.
fn restore_after_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            leave();
            before(panic);
        }));
    });
}

struct Drawing {
    picture: Picture,
    source: Source,
    clock: Clock,
    /// The last moment of the run that was heard of, and when that was, in milliseconds.
    heard: (u64, u64),
    color: bool,
}

impl Drawing {
    async fn go_on(mut self, over: &Over) {
        let mut every = tokio::time::interval(FRAME * 2);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            let is_last = over.is_said();
            self.source.read(&mut self.picture, is_last);
            self.show();
            if is_last {
                return;
            }
        }
    }

    fn show(&mut self) {
        let (now_ms, t_ms) = (self.clock.now() / 1_000_000, self.picture.now().t_ms);
        if t_ms != self.heard.0 {
            self.heard = (t_ms, now_ms);
        }
        let on = if self.picture.now().ending.is_some() { 0 } else { (now_ms - self.heard.1).min(ON_MAX) };
        let (columns, lines) = size();
        let screen = Screen { columns: usize::from(columns), lines: usize::from(lines), color: self.color };
        let mut text = BEGIN.to_owned();
        for (number, line) in draw(&self.picture, t_ms + on, screen).iter().enumerate() {
            text.push_str(if number == 0 { "" } else { "\r\n" });
            text.push_str(line);
            text.push_str("\u{1b}[K");
        }
        text.push_str(END);
        // While the process is being stopped the screen is the shell's.
        if SHOWN.load(Ordering::SeqCst) {
            write(&text);
        }
    }
}

/// Columns and lines of the terminal behind standard error.
pub(crate) fn size() -> (u16, u16) {
    #[cfg(unix)]
    if let Ok(size) = rustix::termios::tcgetwinsize(std::io::stderr())
        && size.ws_col > 0
        && size.ws_row > 0
    {
        return (size.ws_col, size.ws_row);
    }
    USUAL
}

/// Ctrl-Z: the shell gets its screen, and gives it back.
#[cfg(unix)]
fn pause() {
    let shown = SHOWN.load(Ordering::SeqCst);
    leave();
    // Where it cannot stop itself it goes on.
    let _goes_on = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
    if shown {
        enter();
    }
}

/// Looks after signals for the rest of the process, on a thread of its own.
///
/// # Errors
/// Where the system gives no thread.
#[cfg(unix)]
fn obey_signals(signals: Signals) -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    static BEGUN: AtomicBool = AtomicBool::new(false);
    if BEGUN.swap(true, Ordering::SeqCst) {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let stop = SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw());
    let mut ends = Vec::new();
    let guard = runtime.enter();
    for kind in kinds.into_iter().filter(|_| signals == Signals::Nobody) {
        ends.push(signal(kind)?);
    }
    let mut stops = signal(stop)?;
    drop(guard);
    let obey = async move {
        loop {
            let end = std::future::poll_fn(|context| {
                let came = ends.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
                if came { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
            });
            tokio::select! {
                () = end => if ENDS.load(Ordering::SeqCst) {
                    leave();
                    std::process::exit(i32::from(crate::exit::INTERRUPTED));
                },
                _ = stops.recv() => pause(),
            }
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || runtime.block_on(obey))?;
    Ok(())
}

#[cfg(not(unix))]
fn obey_signals(_: Signals) -> Result<()> {
    Ok(())
}
