//! The server's side of a run, wherever it is: in this process, in one of its own, or several behind a balancer. The
//! code that runs a technique need not know which.

use std::net::SocketAddr;
use std::time::Instant;

use super::Lab;
use super::isolate::ServerProcess;
use super::local_server::LocalServer;
use super::server_record::{ServerRecord, Status};
use super::several::Several;
use crate::mail::LogAt;
use crate::technique::{self, Serve, Technique};

/// The server of a run, wherever it is.
#[derive(Debug)]
pub enum ServerHandle {
    /// In this process, on threads of its own.
    Local(Box<LocalServer>),
    /// In a process of its own.
    Process(Box<ServerProcess>),
    /// Several, behind a balancer in this process.
    Several(Box<Several>),
}

impl ServerHandle {
    /// Starts the server of a technique, over the log that [`Lab::open_log`] chose for the run.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn open(lab: &Lab, technique: &'static Technique, log: &LogAt) -> anyhow::Result<ServerHandle> {
        // A balancer passes on HTTP alone: the baseline has one server.
        if lab.scenario.is_balanced() && matches!(technique.serve, Serve::Http(_)) {
            return Ok(ServerHandle::Several(Box::new(Several::start(
                lab, technique, log,
            )?)));
        }
        Ok(match &lab.isolate {
            Some(executable) => {
                ServerHandle::Process(Box::new(ServerProcess::start(executable, lab, technique, log)?))
            }
            None => ServerHandle::Local(Box::new(LocalServer::start(lab, technique, log)?)),
        })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        match self {
            ServerHandle::Local(server) => server.address(),
            ServerHandle::Process(server) => server.address(),
            ServerHandle::Several(servers) => servers.address(),
        }
    }

    /// The network that its clients' connections use.
    pub fn network(&self) -> technique::Network {
        match self {
            ServerHandle::Local(server) => server.network(),
            ServerHandle::Process(_) => technique::Network::Sockets,
            ServerHandle::Several(servers) => servers.network(),
        }
    }

    /// How far it has come.
    ///
    /// # Errors
    /// If its process is gone. This is true of everything below.
    pub fn status(&mut self) -> anyhow::Result<Status> {
        match self {
            ServerHandle::Local(server) => Ok(server.status()),
            ServerHandle::Process(server) => server.status(),
            ServerHandle::Several(servers) => Ok(servers.status()),
        }
    }

    /// Waits until its status satisfies `is`, and returns that status. While mail arrives, a server in a
    /// process of its own does not report its status.
    pub async fn until(&mut self, is: impl Fn(&Status) -> bool) -> anyhow::Result<Status> {
        match self {
            ServerHandle::Local(server) => Ok(server.until(is).await),
            ServerHandle::Process(server) => server.until(is).await,
            ServerHandle::Several(servers) => servers.until(is).await,
        }
    }

    /// Lets mail arrive on a schedule that starts at `start`.
    pub fn publish(&mut self, start: Instant) -> anyhow::Result<()> {
        match self {
            ServerHandle::Local(server) => server.publish(start),
            ServerHandle::Process(server) => server.publish(start),
            ServerHandle::Several(servers) => servers.publish(start),
        }
    }

    /// Stops the publisher: no more mail arrives.
    pub async fn settle(&mut self) -> anyhow::Result<()> {
        match self {
            ServerHandle::Local(server) => {
                server.settle().await;
                Ok(())
            }
            ServerHandle::Process(server) => server.settle(),
            ServerHandle::Several(servers) => servers.settle().await,
        }
    }

    /// Ends every open stream from the server's side; the server keeps running.
    pub fn end_streams(&mut self) -> anyhow::Result<()> {
        match self {
            ServerHandle::Local(server) => {
                server.end_streams();
                Ok(())
            }
            ServerHandle::Process(server) => server.end_streams(),
            ServerHandle::Several(servers) => servers.end_streams(),
        }
    }

    /// Ends every open stream from the server's side, and accepts no more connections.
    pub fn shut_down(&mut self) -> anyhow::Result<()> {
        match self {
            ServerHandle::Local(server) => {
                server.shut_down();
                Ok(())
            }
            ServerHandle::Process(server) => server.shut_down(),
            ServerHandle::Several(servers) => servers.shut_down(),
        }
    }

    /// Ends the server, and returns what it recorded.
    pub async fn close(self) -> anyhow::Result<ServerRecord> {
        match self {
            ServerHandle::Local(server) => Ok(server.close().await),
            ServerHandle::Process(server) => server.close(),
            ServerHandle::Several(servers) => servers.close().await,
        }
    }
}
