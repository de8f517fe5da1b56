//! A server that listens on a free port of this machine.

use objseal_gateway::http::{Bounds, Server, Service, Tls};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn start<S: Service>(service: Arc<S>, tls: Option<Arc<Tls>>, bounds: Bounds) -> Self {
        let server = Server::bind(([127, 0, 0, 1], 0).into(), tls, bounds).await.expect("bound");
        let address = server.address().expect("an address");
        let (stop, stopped) = watch::channel(false);
        Self { address, stop, task: tokio::spawn(server.run(service, stopped)) }
    }

    /// Tells it to end, and gives what ends when it has.
    pub(crate) fn stop(self) -> JoinHandle<()> {
        self.stop.send(true).expect("it runs");
        self.task
    }
}
