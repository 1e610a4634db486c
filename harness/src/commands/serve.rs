//! Owns `blackstart serve`: two threads, one that keeps the schedule and one that answers, and how they end. Refuses to
//! decide about runs.

use crate::cli::ServeArgs;
use crate::exit;
use crate::load::{self, BadInput};
use crate::metrics::Metrics;
use crate::run::Stop;
use crate::schedule::File;
use crate::serve::Folders;
use crate::serve::child::Setting;
use crate::serve::keep::Keep;
use crate::serve::tell::Tell;
use crate::terminal::Terminal;
use crate::web::access::Policy;
use crate::web::sessions::Sessions;
use crate::web::shown::{Shown, show_all};
use crate::web::tokens::Tokens;
use crate::web::{Web, listen, routes};
use anyhow::{Context, Result};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::task::LocalSet;
use tokio_rustls::TlsAcceptor;

/// Serves until somebody ends it: Ctrl-C or SIGTERM.
///
/// # Errors
/// Bad input; a folder, an address or tokens that cannot be had.
pub fn run(args: &ServeArgs, quiet: bool, color: bool) -> Result<u8> {
    let file = match &args.schedule {
        Some(path) => load::schedule(path, color)?,
        None => File::default(),
    };
    if !args.listen.ip().is_loopback() && args.tokens.is_none() {
        let text = format!(
            "error: `--listen {}` is reached from other machines, and that needs `--tokens FILE`: lines of `NAME ROLE TOKEN`\n",
            args.listen
        );
        return Err(BadInput { text }.into());
    }
    let folders = Folders::of(&args.out);
    let setting = Setting {
        folders: folders.clone(),
        executable: std::env::current_exe().context("this executable cannot be found")?,
        known_gaps: file.known_gaps.as_ref().map(PathBuf::from),
        more: more(args),
        regions: args.root.clone(),
    };
    let terminal = Terminal::new(quiet);
    let tls = match (&args.tls_certificate, &args.tls_key) {
        (Some(certificate), Some(key)) => Some(listen::tls(certificate, key)?),
        _ => None,
    };
    let (socket, address) = bind(args, tls.is_some())?;
    let metrics = Arc::new(Metrics::new());
    let tell = Tell::new(&file, Arc::clone(&metrics), folders.clone(), by_name(args, &address))?;
    // One set of tasks: what is begun while the ledger is taken up goes on later.
    let (runtime, local) = (tokio::runtime::Builder::new_current_thread().enable_all().build()?, LocalSet::new());
    let (keep, door) = local.block_on(&runtime, async { Keep::open(&file, setting, tell) })?;
    let tokens = match &args.tokens {
        Some(path) => Tokens::read(path)?,
        None => Tokens::read_or_make(&folders.tokens())?,
    };
    let open_view = args.listen.ip().is_loopback() && !args.private;
    let policy = Policy { open_view, names: args.name.clone(), secure: tls.is_some() };
    let shown = Arc::new(Shown::new(folders.clone()));
    answer(
        socket,
        Arc::new(Web { door, folders: folders.clone(), tokens, sessions: Sessions::default(), policy, metrics, shown }),
        tls,
    )?;
    if let Err(error) = std::fs::write(folders.address(), &address) {
        tracing::warn!(
            "{} cannot be written, so `blackstart halt` needs --server: {error}",
            folders.address().display()
        );
    }
    terminal.say(&format!("blackstart serves at {address}"));
    if args.tokens.is_none() {
        terminal.say(&format!("tokens: {}", folders.tokens().display()));
    }
    if !args.listen.ip().is_loopback() && args.tls_certificate.is_none() {
        tracing::warn!("without --tls-certificate and --tls-key tokens go over the network as they are");
    }
    local.block_on(&runtime, async {
        let mut stop = Stop::listen(false).context("signals cannot be listened to")?;
        keep.go_on(async move {
            stop.wanted().await;
            terminal.say("ending: what goes on is healed and removed first");
        })
        .await;
        anyhow::Ok(())
    })?;
    // Who asks `halt` is told that nobody answers here any more.
    let _gone = std::fs::remove_file(folders.address());
    Ok(exit::OK)
}

/// Where people reach it: by its first name, where it has one.
fn by_name(args: &ServeArgs, address: &str) -> String {
    match (args.name.first(), address.split_once("://"), address.rsplit_once(':')) {
        (Some(name), Some((scheme, _)), Some((_, port))) => format!("{scheme}://{name}:{port}"),
        _ => address.to_owned(),
    }
}

/// The socket, and where it answers.
fn bind(args: &ServeArgs, secure: bool) -> Result<(TcpListener, String)> {
    let told = || format!("{} cannot be listened on; name another with --listen", args.listen);
    let socket = TcpListener::bind(args.listen).with_context(told)?;
    socket.set_nonblocking(true)?;
    let scheme = if secure { "https" } else { "http" };
    let address = format!("{scheme}://{}", socket.local_addr()?);
    Ok((socket, address))
}

/// What every run is told as the server was.
fn more(args: &ServeArgs) -> Vec<String> {
    let mut more = Vec::new();
    if let Some(agent) = &args.agent {
        more.extend(["--agent".to_owned(), agent.display().to_string()]);
    }
    if let Some(image) = &args.agent_image {
        more.extend(["--agent-image".to_owned(), image.clone()]);
    }
    if args.no_rights {
        more.push("--no-rights".to_owned());
    }
    more
}

/// Answers in a thread of its own, which ends with the process.
fn answer(socket: TcpListener, web: Arc<Web>, tls: Option<TlsAcceptor>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("web".to_owned()).spawn(move || {
        runtime.block_on(async {
            // Its flags are set already.
            let Ok(socket) = tokio::net::TcpListener::from_std(socket) else { return };
            tokio::spawn(show_all(Arc::clone(&web.shown), web.door.clone(), Arc::clone(&web.metrics)));
            listen::serve(socket, routes::router(web), tls).await;
        });
    })?;
    Ok(())
}
