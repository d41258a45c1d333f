//! Where alerts go: a file of JSON lines, a syslog server.
//!
//! A writer that cannot write waits a little and tries again; meanwhile alerts gather in its queue, and what does not fit is counted
//! by whoever sends.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::{task, time};

use crate::alerts::Alert;
use crate::written::{Origin, framed, json_line, syslog_message};

/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a syslog server may take to answer a connection, or to take a message.
const NETWORK_TIMEOUT: Duration = Duration::from_secs(10);
/// Alerts that are written at once.
const BATCH: usize = 256;

/// A place for alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Appended to a file, one line each. Who turns it over renames it: it is opened anew for each batch.
    JsonLines(PathBuf),
    /// Sent as datagrams (RFC 5426). Nobody hears of those that are lost.
    SyslogUdp(SocketAddr, Origin),
    /// Sent over a connection, with lengths (RFC 6587).
    SyslogTcp(SocketAddr, Origin),
}

/// Hands each alert to every queue; gives how many did not fit.
#[must_use]
pub fn hand_out(alert: &Alert, queues: &[mpsc::Sender<Alert>]) -> usize {
    queues.iter().filter(|queue| queue.try_send(alert.clone()).is_err()).count()
}

/// Writes alerts until nobody sends any more and all are written. If it cannot be written to by then, what is left is dropped.
pub async fn write(target: Target, mut alerts: mpsc::Receiver<Alert>) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut connection = None;
    while alerts.recv_many(&mut batch, BATCH).await > 0 {
        while let Err(error) = write_batch(&target, &mut batch, &mut connection).await {
            connection = None;
            tracing::warn!(error = %error, "alerts could not be written");
            if alerts.is_closed() {
                tracing::error!(alerts = batch.len() + alerts.len(), "alerts are lost: nobody takes them");
                return;
            }
            time::sleep(PAUSE).await;
        }
    }
}

/// Takes what it wrote out of the batch.
async fn write_batch(
    target: &Target,
    batch: &mut Vec<Alert>,
    connection: &mut Option<TcpStream>,
) -> io::Result<()> {
    match target {
        Target::JsonLines(path) => {
            let lines: String = batch.iter().map(|alert| json_line(alert) + "\n").collect();
            let path = path.clone();
            task::spawn_blocking(move || {
                let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
                file.write_all(lines.as_bytes())
            })
            .await
            .map_err(io::Error::other)??;
            batch.clear();
        }
        Target::SyslogUdp(address, origin) => {
            let any: SocketAddr = if address.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
            let socket = UdpSocket::bind(any).await?;
            for alert in batch.drain(..) {
                // A refusal is the answer to an earlier one, and lost datagrams are what this way is known for.
                let _ = socket.send_to(syslog_message(&alert, origin).as_bytes(), address).await;
            }
        }
        Target::SyslogTcp(address, origin) => {
            let stream = match connection {
                Some(stream) if !is_closed(stream) => stream,
                _ => {
                    let stream = time::timeout(NETWORK_TIMEOUT, TcpStream::connect(address)).await??;
                    connection.insert(stream)
                }
            };
            while let Some(alert) = batch.first() {
                let message = framed(&syslog_message(alert, origin));
                time::timeout(NETWORK_TIMEOUT, stream.write_all(message.as_bytes())).await??;
                batch.remove(0);
            }
        }
    }
    Ok(())
}

/// A syslog server says nothing, so whatever comes is its end.
fn is_closed(stream: &TcpStream) -> bool {
    let mut byte = [0];
    !matches!(stream.try_read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}
