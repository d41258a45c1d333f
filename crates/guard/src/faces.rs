//! The countermeasures, each put between the judge and its own crate, and their sockets.

pub mod export;
pub mod flow;
pub mod forward;
pub mod landing;
pub mod mail;
pub mod rpz;
pub mod status;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{error, info};

use crate::run::{Guard, StartError};

/// How long what is being done may take at the end.
const GRACE: Duration = Duration::from_secs(5);

/// Opens every socket that the configuration names, and serves until `stop` says so. A guard that cannot have one of them
/// does not start at all; when all are open, `is_up` is called.
///
/// # Errors
///
/// Fails if a socket cannot be opened.
pub async fn serve(
    guard: Arc<Guard>,
    mut stop: watch::Receiver<bool>,
    is_up: impl FnOnce(),
) -> Result<(), StartError> {
    let config = Arc::clone(guard.config());
    let mut faces = JoinSet::new();
    if let (Some(rpz), Some(zones)) = (&config.sinkhole.rpz, guard.zones()) {
        for address in &rpz.listen {
            let (udp, tcp) = dns_sockets(*address).await?;
            let publisher = Arc::clone(zones.publisher());
            info!(%address, "policy zones are served");
            faces.spawn(async move {
                let ended =
                    sinkhole::rpz::serve(publisher, udp, tcp, sinkhole::rpz::ServerLimits::default()).await;
                ended.map_err(|error| format!("policy zones: {error}"))
            });
        }
    }
    let forwarding = forward::open(&config, guard.judge(), &mut faces).await?;
    landing::open(&config, &mut faces).await?;
    let clock = Arc::clone(guard.clock());
    for (quarantine, listener, name) in mail::open(&config, guard.judge(), guard.secrets(), &clock).await? {
        info!(listener = name, "mail servers are served");
        let (expiring, stopping) = (Arc::clone(&quarantine), stop.clone());
        faces.spawn(async move {
            expiring.expire(stopping).await;
            Ok(())
        });
        let stopping = stop.clone();
        faces.spawn(async move {
            quarantine.serve(listener, &name, stopping).await;
            Ok(())
        });
    }
    for opened in flow::open(&config, guard.judge(), &mut faces).await? {
        info!(listener = opened.name, "flows are collected");
        let (clock, stopping) = (Arc::clone(&clock), stop.clone());
        faces.spawn(async move {
            flow::serve(opened, clock, stopping).await;
            Ok(())
        });
    }
    if let Some(address) = config.status {
        let listener = TcpListener::bind(address).await.map_err(|source| listen(address, source))?;
        info!(%address, "the status page is served");
        let router = status::router(Arc::clone(&guard));
        faces.spawn(async move {
            axum::serve(listener, router).await.map_err(|error| format!("the status page: {error}"))
        });
    }
    is_up();
    // Ends only when it is told to; a face that fails says so, and the others go on.
    loop {
        tokio::select! {
            changed = stop.changed() => {
                if changed.is_err() || *stop.borrow() {
                    break;
                }
            }
            Some(ended) = faces.join_next() => match ended {
                Ok(Ok(())) => {}
                Ok(Err(why)) => error!("a face has ended: {why}"),
                Err(error) => error!("a face has failed: {error}"),
            },
        }
    }
    drop(forwarding);
    // Mail that is being looked at is answered, alerts that wait are written.
    let ended = async { while faces.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, ended).await.is_err() {
        faces.shutdown().await;
    }
    Ok(())
}

async fn dns_sockets(address: SocketAddr) -> Result<(UdpSocket, TcpListener), StartError> {
    let tcp = TcpListener::bind(address).await.map_err(|source| listen(address, source))?;
    // With port 0, which tests ask for, both have the same one.
    let address = tcp.local_addr().map_err(|source| listen(address, source))?;
    let udp = UdpSocket::bind(address).await.map_err(|source| listen(address, source))?;
    Ok((udp, tcp))
}

fn listen(address: SocketAddr, source: std::io::Error) -> StartError {
    StartError::Listen { address: address.to_string(), source }
}
