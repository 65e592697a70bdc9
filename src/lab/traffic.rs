//! What each technique of a server is doing at the moment, so that it can be displayed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::middleware::{self, Next};
use http_body_util::BodyExt;

use crate::technique::Routes;

/// Counts the requests of one technique.
#[derive(Clone, Debug, Default)]
pub struct Traffic(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU64,
    open: AtomicU64,
}

/// A request that is being answered, until the last clone is dropped. A WebSocket keeps the clone of the
/// request that opened it.
#[derive(Clone, Debug)]
struct Open(#[allow(dead_code)] Arc<Entry>);

#[derive(Debug)]
struct Entry(Traffic);

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Traffic {
    /// Requests so far, and how many of them are being answered or became a connection that is still open.
    pub fn counts(&self) -> (u64, u64) {
        let Counts { requests, open } = &*self.0;
        (requests.load(Ordering::Relaxed), open.load(Ordering::Relaxed))
    }

    fn enter(&self) -> Open {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        self.0.open.fetch_add(1, Ordering::Relaxed);
        Open(Arc::new(Entry(self.clone())))
    }

    /// The same routes, counted.
    pub fn of(&self, routes: Routes) -> Routes {
        let traffic = self.clone();
        let count = move |mut request: Request, next: Next| {
            let open = traffic.enter();
            async move {
                request.extensions_mut().insert(open.clone());
                let answer = next.run(request).await;
                answer.map(|body| match body.is_end_stream() {
                    true => body,
                    false => Body::new(body.map_err(move |e| {
                        let _until_its_end = &open;
                        e
                    })),
                })
            }
        };
        routes.between(|router| router.route_layer(middleware::from_fn(count)))
    }
}
