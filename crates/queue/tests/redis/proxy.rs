//! An address that leads somewhere, and later elsewhere, as a virtual address in front of two servers does.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::DropGuard;

/// Passes bytes on to a server of this machine.
pub struct Proxy {
    pub port: u16,
    target: Arc<AtomicU16>,
    /// Rises when all connections fall silent.
    silenced: watch::Sender<u32>,
    _end: DropGuard,
}

impl Proxy {
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (own, target) = (listener.local_addr().unwrap().port(), Arc::new(AtomicU16::new(port)));
        let (silenced, end) = (watch::Sender::new(0), tokio_util::sync::CancellationToken::new());
        let (to, silence, ended) = (Arc::clone(&target), silenced.clone(), end.clone());
        tokio::spawn(async move {
            while let Some(Ok((client, _))) = ended.run_until_cancelled(listener.accept()).await {
                let address: SocketAddr = (Ipv4Addr::LOCALHOST, to.load(Ordering::Relaxed)).into();
                tokio::spawn(ended.clone().run_until_cancelled_owned(pass(client, address, silence.subscribe())));
            }
        });
        Self { port: own, target, silenced, _end: end.drop_guard() }
    }

    /// Connections that are made from now on lead to another server.
    pub fn lead_to(&self, port: u16) {
        self.target.store(port, Ordering::Relaxed);
    }

    /// Over the connections that are there nothing comes any more, and none is closed: their host has vanished.
    pub fn silence(&self) {
        self.silenced.send_modify(|n| *n += 1);
    }
}

async fn pass(mut client: TcpStream, to: SocketAddr, mut silenced: watch::Receiver<u32>) {
    let Ok(mut server) = TcpStream::connect(to).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _ = silenced.changed() => std::future::pending().await,
    }
}
