//! A nats-server of a test's own, and a relay that can cut a server off from it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Kept, is_here, runs};

/// The program, if it is installed.
pub fn program() -> Option<PathBuf> {
    let places = [
        "nats-server",
        "/usr/sbin/nats-server",
        "/usr/local/bin/nats-server",
    ];
    let found = places.iter().find(|place| runs(place)).map(PathBuf::from);
    is_here("nats-server", found.is_some()).then_some(found).flatten()
}

/// A server with a store of its own. It can be killed and started again at the same port.
pub struct Nats {
    program: PathBuf,
    folder: tempfile::TempDir,
    port: String,
    running: Option<Kept>,
}

impl Nats {
    /// Starts it with these lines in its configuration; `None` if it is not installed.
    pub fn start(settings: &str) -> Option<Nats> {
        let mut nats = Nats {
            program: program()?,
            folder: tempfile::tempdir().unwrap(),
            port: "-1".into(),
            running: None,
        };
        let store = nats.folder.path().join("store");
        let jetstream = format!("store_dir: {:?}", store.display().to_string());
        let settings = match settings.contains("jetstream {") {
            true => settings.replace("jetstream {", &format!("jetstream {{ {jetstream},")),
            false => format!("{settings}\njetstream {{ {jetstream} }}"),
        };
        std::fs::write(nats.folder.path().join("nats.conf"), settings).unwrap();
        nats.start_again();
        Some(nats)
    }

    /// Starts it again after [`Nats::kill`], with the store that it had.
    pub fn start_again(&mut self) {
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(self.folder.path().join("nats.conf"));
        command
            .args(["-a", "127.0.0.1", "-p", &self.port])
            .stderr(Stdio::piped());
        let mut child = Kept::start(&mut command);
        let mut lines = BufReader::new(child.stderr()).lines().map_while(Result::ok);
        let listening = "Listening for client connections on 127.0.0.1:";
        let port = lines.find_map(|line| line.split_once(listening).map(|(_, port)| port.to_owned()));
        self.port = port.expect("nats-server listens").trim().into();
        // What it says is read, or it would wait.
        std::thread::spawn(move || lines.for_each(drop));
        self.running = Some(child);
    }

    /// Ends it at once, without a chance to write anything.
    pub fn kill(&mut self) {
        self.running = None;
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self) -> String {
        format!("nats://{}", self.address())
    }
}

/// Forwards connections to an address, which can be changed, or to nobody.
pub struct Switch {
    pub address: SocketAddr,
    to: Arc<Mutex<Option<String>>>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    /// Locked while it holds back what it should forward.
    gate: Arc<Mutex<()>>,
}

impl Switch {
    pub fn start(to: &str) -> Switch {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let switch = Switch {
            address: listener.local_addr().unwrap(),
            to: Arc::new(Mutex::new(Some(to.into()))),
            open: Arc::default(),
            gate: Arc::default(),
        };
        let (to, open, gate) = (switch.to.clone(), switch.open.clone(), switch.gate.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let target = to.lock().unwrap().clone();
                let server = target.and_then(|to| TcpStream::connect(to).ok());
                // Without a server, the client's connection ends here.
                let Some(server) = server else { continue };
                open.lock()
                    .unwrap()
                    .extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
                for (mut from, mut to) in [
                    (client.try_clone().unwrap(), server.try_clone().unwrap()),
                    (server, client),
                ] {
                    let gate = gate.clone();
                    std::thread::spawn(move || {
                        let mut bytes = [0; 16 * 1024];
                        while let Ok(n @ 1..) = from.read(&mut bytes) {
                            drop(gate.lock().unwrap());
                            if to.write_all(&bytes[..n]).is_err() {
                                break;
                            }
                        }
                        let _ = to.shutdown(std::net::Shutdown::Both);
                    });
                }
            }
        });
        switch
    }

    /// Forwards nothing, and closes nothing, until what is returned is dropped.
    pub fn hold(&self) -> MutexGuard<'_, ()> {
        self.gate.lock().unwrap()
    }

    /// Forwards new connections there, and breaks those that are open.
    pub fn turn(&self, to: Option<&str>) {
        *self.to.lock().unwrap() = to.map(Into::into);
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}
