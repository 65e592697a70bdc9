//! What each technique of a server is doing at the moment, so that it can be displayed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::middleware::{self, Next};
use futures_util::FutureExt;
use http_body_util::BodyExt;

use crate::technique::{Attached, Routes};

/// Counts the requests of one technique.
#[derive(Clone, Debug, Default)]
pub struct Traffic(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU64,
    open: AtomicU64,
}

/// A request that is being answered, until the last reference is dropped. A WebSocket keeps that of the request that opened
/// it.
#[derive(Debug)]
struct Open(Traffic);

impl Drop for Open {
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

    fn enter(&self) -> Arc<Open> {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        self.0.open.fetch_add(1, Ordering::Relaxed);
        Arc::new(Open(self.clone()))
    }

    /// The same routes, counted.
    pub fn of(&self, routes: Routes) -> Routes {
        let traffic = self.clone();
        let count = move |mut request: Request, next: Next| {
            let open = traffic.enter();
            Attached::to(request.extensions_mut(), open.clone());
            next.run(request).map(move |answer| {
                answer.map(|body| match body.is_end_stream() {
                    true => body,
                    false => Body::new(body.map_err(move |e| {
                        let _until_its_end = &open;
                        e
                    })),
                })
            })
        };
        routes.between(|router| router.route_layer(middleware::from_fn(count)))
    }
}
