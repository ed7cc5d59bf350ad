//! What comes in over HTTP: whole, in time, and no longer than it may be.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::StatusCode;

/// How long a request may take to arrive. Whoever sends a byte now and then would keep memory and a
/// connection for ever.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Reads a body of at most `most` bytes.
///
/// # Errors
/// The status by which it is refused.
pub(crate) async fn whole(
    body: Body,
    most: usize,
    patience: Duration,
) -> Result<Bytes, StatusCode> {
    match tokio::time::timeout(patience, to_bytes(body, most)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        // Where the connection broke, nobody hears it.
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::Router;
    use axum::body::Body;
    use axum::routing::post;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::whole;

    #[tokio::test]
    async fn a_body_that_is_too_long_or_does_not_end_is_refused() {
        let read = async |body: Body| match whole(body, 8, Duration::from_millis(100)).await {
            Ok(bytes) => Ok(format!("{} bytes", bytes.len())),
            Err(status) => Err(status),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().route("/", post(read));
        tokio::spawn(async move { axum::serve(listener, app).await });
        for (said, sent, answer) in [
            (8_u64, 8, "200 "),
            (9, 9, "413 "),
            (8, 7, "408 "),
            (1 << 40, 7, "408 "),
            (1 << 40, 9, "413 "),
        ] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {said}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&vec![0; sent]).await.unwrap();
            let mut told = vec![0; 13];
            stream.read_exact(&mut told).await.unwrap();
            let told = String::from_utf8(told).unwrap();
            assert_eq!(told, format!("HTTP/1.1 {answer}"), "{sent} of {said}");
        }
    }
}
