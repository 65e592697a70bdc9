//! The lab's server without its meter: the same accept loop and the same HTTP code, on bare sockets.

use std::net::SocketAddr;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use mailcall::lab::server::Limits;
use mailcall::technique::{Serve, Service, Technique};
use tokio::net::TcpListener;
use tokio_io_timeout::TimeoutStream;

/// Serves until the process ends.
pub fn serve(technique: &Technique, service: Service, limits: Limits) -> SocketAddr {
    let Serve::Http(routes) = technique.serve else {
        panic!("{} is not HTTP", technique.name)
    };
    let router = routes(service).into_router();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener
        .set_nonblocking(true)
        .expect("a listener can be nonblocking");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime can be had").block_on(async {
            let listener = TcpListener::from_std(listener).expect("tokio takes a listener");
            loop {
                let (socket, _) = listener.accept().await.expect("there are descriptors left");
                let _ = socket.set_nodelay(true);
                let mut guarded = TimeoutStream::new(socket);
                guarded.set_write_timeout(Some(limits.stall));
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(limits.head_timeout)
                    .max_buf_size(limits.head_bytes)
                    .max_headers(limits.fields)
                    .serve_connection(
                        TokioIo::new(Box::pin(guarded)),
                        TowerToHyperService::new(router.clone()),
                    )
                    .with_upgrades();
                tokio::spawn(connection);
            }
        });
    });
    address
}
