//! Starts a practice cloud and ends it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::cloud::{Clock, Cloud};
use super::endpoint;
use super::keep::{Keep, KeepError};
use super::machine::Machines;
use super::scenario::Scenario;
use super::world::{Trouble, World};

/// The access key that [`Practice::exports`] gives: it names the usual account.
pub const ACCESS_KEY: &str = "AKIA123456789012DEMO";
pub const SECRET_KEY: &str = "practice-practice-practice-practice-prac";

/// How long requests under way may take to end.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// How a practice cloud is to be.
#[derive(Clone, Default)]
pub struct Options {
    /// Of the endpoint; 0: any that is free.
    pub port: u16,
    /// Where its state is kept; `None`: in memory only. Machines' disks are the business of who makes machines.
    pub dir: Option<PathBuf>,
    pub scenario: Scenario,
    /// What templates name and this cloud does not have is stood in for.
    pub rehearsal: bool,
    /// The region that the exports name.
    pub region: Option<String>,
    /// `None`: the computer's.
    pub clock: Option<Clock>,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(
        "cannot listen at 127.0.0.1:{port}: {source}; choose another port with `--port`, or 0 for any that is free"
    )]
    Listen { port: u16, source: std::io::Error },
    #[error(transparent)]
    Keep(#[from] KeepError),
}

/// A practice cloud that runs. Dropping it leaves its tasks to the runtime; [`Practice::stop`] ends it in order.
pub struct Practice {
    cloud: Arc<Cloud>,
    address: SocketAddr,
    ssh_port: u16,
    region: String,
    stop: CancellationToken,
    server: JoinHandle<()>,
    keepers: [JoinHandle<()>; 2],
}

impl Practice {
    /// # Errors
    /// When the port is taken, or what was kept cannot be read.
    pub async fn start(options: Options, machines: Arc<dyn Machines>) -> Result<Self, StartError> {
        let clock = options.clock.unwrap_or_else(|| Arc::new(|| jiff::Timestamp::now().as_millisecond()));
        let port = options.port;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let listener = listener.map_err(|source| StartError::Listen { port, source })?;
        let address = listener.local_addr().map_err(|source| StartError::Listen { port, source })?;
        let keep = options.dir.as_deref().map(Keep::new).transpose()?;
        let kept = keep.as_ref().map(Keep::read).transpose()?.flatten();
        let seed = options.scenario.seed.unwrap_or_else(rand::random);
        let mut world = kept.unwrap_or_else(|| World::new(seed));
        world.trouble = Trouble::new(&options.scenario, seed, clock());
        let ssh_port = machines.ssh_port(Ipv4Addr::LOCALHOST);
        let cloud = Cloud::new(world, machines, clock, options.rehearsal, keep);
        cloud.wake();
        let stop = CancellationToken::new();
        let (served, until) = (Arc::clone(&cloud), stop.clone());
        let server = tokio::spawn(async move {
            if let Err(e) = endpoint::serve(listener, served, until).await {
                tracing::error!(error = %e, "practice cloud: the endpoint failed");
            }
        });
        let keepers = [tokio::spawn(Arc::clone(&cloud).keep_time()), tokio::spawn(Arc::clone(&cloud).keep_saving())];
        let region = options.region.unwrap_or_else(|| "us-east-1".to_owned());
        Ok(Self { cloud, address, ssh_port, region, stop, server, keepers })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What programs must have in their environment to use this cloud and no other.
    pub fn exports(&self) -> Vec<(String, String)> {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut exports = vec![
            pair("AWS_ENDPOINT_URL", &self.endpoint()),
            pair("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            pair("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
            pair("AWS_REGION", &self.region),
            pair("AWS_DEFAULT_REGION", &self.region),
            pair("AWS_EC2_METADATA_DISABLED", "true"),
        ];
        if self.ssh_port != 22 {
            exports.push(pair("KILN_SSH_PORT", &self.ssh_port.to_string()));
        }
        exports
    }

    /// The cloud behind the endpoint: its faults, calls and state.
    pub fn cloud(&self) -> &Arc<Cloud> {
        &self.cloud
    }

    /// Ends the endpoint and every machine; returns when nothing of them runs and the state is kept.
    pub async fn stop(self) {
        self.stop.cancel();
        let mut server = self.server;
        if tokio::time::timeout(LAST_REQUESTS, &mut server).await.is_err() {
            server.abort();
        }
        self.keepers.iter().for_each(JoinHandle::abort);
        self.cloud.close().await;
    }
}
