//! Owns the listening side of DNS, over UDP and TCP. Refuses to decide any answer; that is the machine's.

use super::dns;
use super::drive::Driver;
use super::server::Serves;
use crate::commons::DirectoryConfig;
use crate::machine::Actor;
use crate::wire::Ask;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// How long a question is kept that the machine does not answer; whoever asked has asked somebody else long since.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a TCP connection may say nothing (RFC 7766, section 6.2.3).
const IDLE: Duration = Duration::from_secs(10);

/// Answers for ever.
///
/// # Errors
/// Where the address cannot be listened on.
pub(super) async fn serve<A: Actor + 'static>(config: DirectoryConfig, driver: Rc<Driver<A>>) -> std::io::Result<()> {
    let socket = Rc::new(UdpSocket::bind(config.listen).await?);
    let listener = TcpListener::bind(config.listen).await?;
    let config = Rc::new(config);
    tokio::task::spawn_local(accept(listener, Rc::clone(&config), Rc::clone(&driver)));
    let mut buffer = [0; 4_096];
    loop {
        // An error here is an earlier answer that nobody took.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        let question = buffer[..length].to_vec();
        let (socket, config, driver) = (Rc::clone(&socket), Rc::clone(&config), Rc::clone(&driver));
        tokio::task::spawn_local(async move {
            if let Some(answer) = answer(&question, &config, &driver, true).await {
                // Whoever asked may have gone.
                let _gone = socket.send_to(&answer, from).await;
            }
        });
    }
}

async fn accept<A: Actor + 'static>(listener: TcpListener, config: Rc<DirectoryConfig>, driver: Rc<Driver<A>>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::task::spawn_local(converse(stream, Rc::clone(&config), Rc::clone(&driver)));
            }
            // Out of descriptors, most likely: those who are connected are served meanwhile.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// One connection: question after question, each behind its length.
async fn converse<A: Actor + 'static>(mut stream: TcpStream, config: Rc<DirectoryConfig>, driver: Rc<Driver<A>>) {
    while let Ok(Ok(length)) = tokio::time::timeout(IDLE, stream.read_u16()).await {
        let mut question = vec![0; usize::from(length)];
        if stream.read_exact(&mut question).await.is_err() {
            return;
        }
        let Some(answer) = answer(&question, &config, &driver, false).await else { return };
        let Ok(length) = u16::try_from(answer.len()) else { return };
        if stream.write_all(&[&length.to_be_bytes(), answer.as_slice()].concat()).await.is_err() {
            return;
        }
    }
}

async fn answer<A: Actor + 'static>(
    question: &[u8],
    config: &DirectoryConfig,
    driver: &Rc<Driver<A>>,
    datagram: bool,
) -> Option<Vec<u8>> {
    let asked = match dns::asked(question) {
        Ok(asked) => asked,
        Err(at_once) => return at_once,
    };
    let ask = Ask::Lookup { name: asked.name.as_str().into() };
    // Dropping the question tells the machine that nobody waits for it any more.
    let reply = tokio::time::timeout(PATIENCE, driver.request(ask, None, false)).await.ok()??;
    dns::answer(&asked, &reply, config, datagram)
}
