//! Owns how a file goes out: piece by piece, as its reader takes it, so that a run of a gigabyte costs no memory and a disk
//! that is slow holds up nobody else. Refuses to know who may have it.

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use std::path::Path;
use tokio::io::AsyncReadExt;

/// Bytes of a piece.
const PIECE: usize = 64 << 10;

/// A file as it is now: what is written to it meanwhile is not sent, so that the length that was told is true. `None`
/// where there is none.
pub(super) async fn file(path: &Path) -> Option<Response> {
    let file = tokio::fs::File::open(path).await.ok()?;
    let about = file.metadata().await.ok().filter(std::fs::Metadata::is_file)?;
    let pieces = stream::try_unfold(file.take(about.len()), async |mut rest| {
        let mut piece = vec![0; PIECE];
        let count = rest.read(&mut piece).await?;
        piece.truncate(count);
        Ok::<_, std::io::Error>((count > 0).then(|| (Bytes::from(piece), rest)))
    });
    Some(([(header::CONTENT_LENGTH, about.len())], Body::from_stream(pieces)).into_response())
}
