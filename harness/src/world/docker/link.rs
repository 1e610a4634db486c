//! Owns the conversation with a container over its attached standard input and output, in JSON lines. Refuses to know
//! what is said.

use super::engine::Attached;
use anyhow::{Context, Result, anyhow, bail};
use futures_util::StreamExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, oneshot};

/// A line that waits to be written, and who wants to know that it was.
type Outgoing = (Vec<u8>, oneshot::Sender<()>);

/// The writing side; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Speaker {
    outgoing: mpsc::Sender<Outgoing>,
}

impl Speaker {
    /// Writes one line and waits until it is out.
    ///
    /// # Errors
    /// Where the container has gone, or does not take it in time.
    pub(crate) async fn say<T: Serialize + Sync>(&self, message: &T) -> Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        let (sender, written) = oneshot::channel();
        self.outgoing.send((line, sender)).await.map_err(|_| anyhow!("the other end has gone"))?;
        match tokio::time::timeout(Duration::from_secs(10), written).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => bail!("the other end has gone"),
            Err(_) => bail!("the other end does not read"),
        }
    }
}

/// Splits an attached container into a speaker and a stream of messages; the stream ends with the container.
pub(crate) fn converse<T: DeserializeOwned + Send + 'static>(attached: Attached) -> (Speaker, mpsc::Receiver<T>) {
    let Attached { mut output, mut input } = attached;
    let (outgoing, mut queue) = mpsc::channel::<Outgoing>(64);
    tokio::spawn(async move {
        while let Some((line, written)) = queue.recv().await {
            if input.write_all(&line).await.is_err() || input.flush().await.is_err() {
                return;
            }
            // Whoever asked may have given up meanwhile.
            let _gave_up = written.send(());
        }
    });
    let (sender, incoming) = mpsc::channel(1024);
    tokio::spawn(async move {
        let mut buffer = Vec::new();
        while let Some(Ok(piece)) = output.next().await {
            buffer.extend_from_slice(&piece);
            while let Some(end) = buffer.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = buffer.drain(..=end).collect();
                match serde_json::from_slice(&line).context("not understood") {
                    Ok(message) => {
                        if sender.send(message).await.is_err() {
                            return;
                        }
                    }
                    Err(error) => tracing::warn!("{error:#}: {}", String::from_utf8_lossy(&line).trim_end()),
                }
            }
        }
    });
    (Speaker { outgoing }, incoming)
}
