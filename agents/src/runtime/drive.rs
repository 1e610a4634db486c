//! Owns the loop around an actor: feeds it what happens, performs what it puts out, wakes it when it asked for it.
//! Refuses to decide anything.

use super::client::{Client, SharedClient};
use super::clock::{self, mono_ns};
use super::disk::{self, Append};
use super::fetch::{self, Order};
use super::reporter::Reporter;
use super::tls::{self, Tls};
use super::trouble::Troubles;
use super::{name_server, resolve, server, trim};
use crate::canary::Canary;
use crate::commons::Commons;
use crate::config::{GenericConfig, HostConfig, InstanceConfig, Process};
use crate::machine::validity::Felt;
use crate::machine::{Actor, AttemptId, ConnId, Counters, Input, Machine, Nanos, Output, RequestId};
use crate::wire::{Ask, Failure, Note, Reply, Text};
use fixtures::name::ServiceName;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc::Sender;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

/// How long a process that exits waits for its last notes to leave.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// An actor with what surrounds it; all of it lives on one thread.
#[derive(Debug)]
pub(super) struct Driver<A> {
    actor: RefCell<A>,
    waiting: RefCell<BTreeMap<RequestId, oneshot::Sender<Reply>>>,
    attempts: RefCell<BTreeMap<AttemptId, AbortHandle>>,
    client: SharedClient,
    tls: Option<Rc<Tls>>,
    around: Around,
    reporter: Option<Reporter>,
    disk: Option<Sender<Append>>,
    rearm: Notify,
    listen: Notify,
    next_request: Cell<u64>,
}

/// What surrounds a process of a region with names or identities.
#[derive(Debug, Default)]
pub(super) struct Around {
    troubles: RefCell<Troubles>,
    service: Option<ServiceName>,
    commons: Commons,
    /// Until when an authority shows the certificate that it signed itself last.
    signed_until: Cell<Nanos>,
    /// What it fetches, where it is to become something else.
    pub(super) order: Option<Rc<Order>>,
}

impl Around {
    pub(super) fn new(trouble_dir: &str, service: Option<ServiceName>, commons: &Commons) -> Self {
        let folder = (!trouble_dir.is_empty()).then(|| Path::new(trouble_dir));
        let troubles = RefCell::new(Troubles::new(folder));
        Self { troubles, service, commons: commons.clone(), signed_until: Cell::default(), order: None }
    }
}

impl<A: Actor + 'static> Driver<A> {
    pub(super) fn new(
        actor: A,
        around: Around,
        reporter: Option<Reporter>,
        disk: Option<Sender<Append>>,
    ) -> std::io::Result<Rc<Self>> {
        let tls = Tls::of(&around.commons).map_err(std::io::Error::other)?.map(Rc::new);
        let client = Client::with_tls(tls.clone(), around.commons.proves.clone()).fetching(around.order.clone());
        Ok(Rc::new(Self {
            actor: RefCell::new(actor),
            waiting: RefCell::default(),
            attempts: RefCell::default(),
            client: Rc::new(client),
            tls,
            around,
            reporter,
            disk,
            rearm: Notify::new(),
            listen: Notify::new(),
            next_request: Cell::new(1),
        }))
    }

    pub(super) fn feed(self: &Rc<Self>, input: Input) {
        let mut outputs = Vec::new();
        let (before, after) = {
            let mut actor = self.actor.borrow_mut();
            let before = actor.next_wake();
            if let Some(in_force) = self.around.troubles.borrow_mut().changed() {
                clock::set_ahead(Felt::of(&in_force, self.around.service.as_ref()).ahead_ns);
                actor.handle(mono_ns(), Input::Troubled { in_force }, &mut outputs);
            }
            actor.handle(mono_ns(), input, &mut outputs);
            (before, actor.next_wake())
        };
        for output in outputs {
            self.perform(output);
        }
        if before != after {
            self.rearm.notify_one();
        }
    }

    fn perform(self: &Rc<Self>, output: Output) {
        match output {
            Output::Listen => self.listen.notify_one(),
            Output::Send { attempt, to, secure, conn, ask, timeout } => {
                self.send(attempt, to, secure, conn, ask, timeout)
            }
            Output::Abandon { attempt } => {
                let task = self.attempts.borrow_mut().remove(&attempt);
                if let Some(task) = task {
                    task.abort();
                }
            }
            Output::Close { conn } => self.client.drop_conn(conn),
            Output::Respond { id, reply } => {
                let waiting = self.waiting.borrow_mut().remove(&id);
                if let Some(waiting) = waiting {
                    // A caller who has gone does not want it any more.
                    let _gone = waiting.send(reply);
                }
            }
            Output::Append { id, key, value, sync } => self.append(Append { id, key, value, sync }),
            // What has its software serves nobody yet.
            Output::Note(Note::Serving) if self.around.order.is_some() => {}
            Output::Note(note) => {
                if let Some(reporter) = &self.reporter {
                    reporter.note(note);
                }
            }
            Output::Exit(status) => self.exit(status),
        }
    }

    fn send(
        self: &Rc<Self>,
        attempt: AttemptId,
        to: SocketAddr,
        secure: Option<Text>,
        conn: Option<ConnId>,
        ask: Ask,
        timeout: Nanos,
    ) {
        let driver = Rc::clone(self);
        let task = tokio::task::spawn_local(async move {
            let watcher = Rc::downgrade(&driver);
            let closed = move |conn| {
                if let Some(driver) = watcher.upgrade() {
                    driver.client.drop_conn(conn);
                    driver.feed(Input::Closed { conn });
                }
            };
            let (outcome, conn) = match &ask {
                Ask::Lookup { name } => (resolve::lookup(to, name, fastrand::u16(..)).await, None),
                _ => driver.client.ask(to, secure, conn, &ask, timeout, closed).await,
            };
            driver.attempts.borrow_mut().remove(&attempt);
            driver.feed(Input::Answer { attempt, outcome, conn });
        });
        self.attempts.borrow_mut().insert(attempt, task.abort_handle());
    }

    fn exit(&self, status: i32) -> ! {
        // Why it exits was noted a moment ago, and goes down with the process unless it has left by then.
        if let Some(reporter) = &self.reporter {
            reporter.flush(LAST_WORDS);
        }
        std::process::exit(status)
    }

    fn append(self: &Rc<Self>, append: Append) {
        let id = append.id;
        let handed = self.disk.as_ref().is_some_and(|disk| disk.send(append).is_ok());
        if !handed {
            let driver = Rc::clone(self);
            tokio::task::spawn_local(async move { driver.feed(Input::Appended { id, ok: false }) });
        }
    }

    /// Until it has everything that it needs.
    pub(super) async fn complete(&self) {
        self.listen.notified().await;
    }

    pub(super) async fn wake(self: Rc<Self>) {
        loop {
            let next = self.actor.borrow().next_wake();
            let now = mono_ns();
            match next {
                Some(at) if at <= now => self.feed(Input::Wake),
                Some(at) => {
                    let sleep = tokio::time::sleep(Duration::from_nanos(at - now));
                    tokio::select! { () = sleep => {} () = self.rearm.notified() => {} }
                }
                None => self.rearm.notified().await,
            }
        }
    }
}

impl<A: Actor + 'static> server::Serves for Driver<A> {
    /// Puts a request to the actor and waits for its answer.
    async fn request(self: &Rc<Self>, ask: Ask, remaining: Option<Nanos>, proven: bool) -> Option<Reply> {
        let id = RequestId(self.next_request.get());
        self.next_request.set(id.0 + 1);
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().insert(id, sender);
        let gone = Gone { driver: self, id };
        self.feed(Input::Request { id, ask, remaining, proven });
        let reply = receiver.await;
        // It holds a reference and a number: forgetting it leaks nothing, and keeps it from telling.
        std::mem::forget(gone);
        Some(reply.unwrap_or_else(|_| Reply { error: Some(Failure::Deadline), ..Reply::default() }))
    }

    /// Takes connections over TLS, where it is asked so; an authority sees to its own certificate first.
    fn acceptor(&self) -> Option<TlsAcceptor> {
        let (tls, commons) = (self.tls.as_ref()?, &self.around.commons);
        let now = mono_ns();
        if let (true, Some(keys)) = (commons.is_authority && now >= self.around.signed_until.get(), &commons.keys)
            && let Some(grant) = self.actor.borrow().certificate(now)
        {
            let signed = tls::sign(keys, tls.public_key(), &commons.proves, grant).and_then(|pem| tls.install(&pem));
            let lifetime = u64::try_from(grant.until_ns.saturating_sub(grant.from_ns)).unwrap_or_default();
            if signed.is_ok() {
                self.around.signed_until.set(now.saturating_add(lifetime / 2));
            }
        }
        tls.acceptor()
    }

    /// What was granted, with the certificate where it is one and somebody's key came with the question.
    fn signed(&self, mut reply: Reply, key: &[u8], names: &[String]) -> Reply {
        if let (Some(grant), Some(keys)) = (reply.grant.as_deref().copied(), &self.around.commons.keys) {
            match tls::sign(keys, key, names, grant) {
                Ok(pem) => reply.certificate = Some(pem.into()),
                Err(_) => reply.error = Some(Failure::Denied),
            }
        }
        reply
    }

    fn artefact(&self, name: &str) -> Option<Vec<u8>> {
        let folder = self.around.commons.artefacts.as_ref()?;
        // Nothing but a file of that folder itself.
        let is_name = name.bytes().all(|one| one.is_ascii_alphanumeric() || matches!(one, b'-' | b'@'));
        is_name.then(|| std::fs::read(Path::new(folder).join(name)).ok())?
    }

    fn counters(&self) -> Counters {
        self.actor.borrow().counters()
    }
}

/// Tells the actor when a caller goes away before its answer: dropped with the request's future.
struct Gone<'a, A: Actor + 'static> {
    driver: &'a Rc<Driver<A>>,
    id: RequestId,
}

impl<A: Actor + 'static> Drop for Gone<'_, A> {
    fn drop(&mut self) {
        self.driver.waiting.borrow_mut().remove(&self.id);
        self.driver.feed(Input::Gone { id: self.id });
    }
}

/// Runs one process of a host for ever.
///
/// # Errors
/// Where the state file cannot be opened, or the address cannot be listened on: the supervisor starts it again.
pub fn run(host: &HostConfig, process: &Process) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let local = tokio::task::LocalSet::new();
    local.spawn_local(trim::now_and_then());
    match process {
        Process::Instance(config) => {
            let reporter = Reporter::start(host.witness, config.from.clone())?;
            local.block_on(&runtime, instance(config, Some(reporter), Path::new(&host.state_dir), &host.trouble_dir))
        }
        Process::Generic(generic) => {
            let reporter = Some(Reporter::start(host.witness, generic.own.from.clone())?);
            let (state_dir, trouble_dir) = (Path::new(&host.state_dir), &host.trouble_dir);
            local.block_on(&runtime, generic_instance(generic, reporter, state_dir, trouble_dir))
        }
        Process::Program(_) => Err(std::io::Error::other("real software is run by its host's supervisor itself")),
        Process::Adapter(_) => Err(std::io::Error::other("what speaks for real software is no agent")),
        Process::Canary(config) => {
            let reporter = Reporter::start(host.witness, config.from.clone())?;
            let around = Around::new(&host.trouble_dir, None, &config.commons);
            let driver = Driver::new(Canary::new(config.clone()), around, Some(reporter), None)?;
            local.block_on(&runtime, async {
                driver.feed(Input::Start { entries: Vec::new() });
                let listening = async {
                    // A canary that nobody can reach sends what it was told at first.
                    if let Some(listen) = config.listen
                        && let Ok(listener) = TcpListener::bind(listen).await
                    {
                        server::accept(listener, Rc::clone(&driver)).await;
                    }
                    std::future::pending::<()>().await;
                };
                tokio::select! { () = Rc::clone(&driver).wake() => {} () = listening => {} }
            });
            Ok(())
        }
    }
}

/// Fetches the software of an instance, or finds it on the host's disk, and runs the instance for ever.
///
/// # Errors
/// As [`run`]; where the disk does not take the software.
pub async fn generic_instance(
    generic: &GenericConfig,
    reporter: Option<Reporter>,
    state_dir: &Path,
    trouble_dir: &str,
) -> std::io::Result<()> {
    let config = fetch::installed(generic, reporter.clone(), state_dir, trouble_dir).await?;
    instance(&config, reporter, state_dir, trouble_dir).await
}

/// Runs one instance for ever; `state_dir` holds its state file, `trouble_dir` what is the matter on its host.
///
/// # Errors
/// As [`run`].
pub async fn instance(
    config: &InstanceConfig,
    reporter: Option<Reporter>,
    state_dir: &Path,
    trouble_dir: &str,
) -> std::io::Result<()> {
    let (done, mut appended) = mpsc::unbounded_channel();
    let (disk, entries) = if config.state.has_file() {
        let (file, entries) = disk::open(&state_dir.join(format!("{}.log", config.name)), config.store.torn_end)?;
        // The receiver lives as long as the process: a failed send means that it is ending.
        let told = move |id, ok| done.send((id, ok)).unwrap_or_default();
        (Some(disk::start(file, told)?), entries)
    } else {
        (None, Vec::new())
    };
    let around = Around::new(trouble_dir, config.from.service.clone(), &config.commons);
    let driver = Driver::new(Machine::new(config.clone()), around, reporter, disk)?;
    driver.feed(Input::Start { entries });
    let listening = async {
        driver.listen.notified().await;
        // The one fixed address that all others were told.
        let listener = TcpListener::bind(config.listen).await?;
        if let Some(directory) = config.commons.directory.clone() {
            let names = name_server::serve(directory, Rc::clone(&driver));
            return tokio::select! { ended = names => ended, () = server::accept(listener, Rc::clone(&driver)) => Ok(()) };
        }
        server::accept(listener, Rc::clone(&driver)).await;
        Ok(())
    };
    let writes = async {
        while let Some((id, ok)) = appended.recv().await {
            driver.feed(Input::Appended { id, ok });
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = listening => ended,
        () = Rc::clone(&driver).wake() => Ok(()),
        () = writes => Ok(()),
    }
}
