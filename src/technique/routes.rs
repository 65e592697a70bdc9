//! HTTP routes, each of which is known by its path: so that whoever checks all of them cannot miss one.

use axum::Router;
use axum::routing::MethodRouter;

/// Routes, and their paths.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    router: Router,
    paths: Vec<String>,
}

impl Routes {
    /// None yet.
    pub fn new() -> Routes {
        Routes::default()
    }

    /// The same with one more, at a path as axum writes them (`/sockjs/{*rest}`).
    pub fn route(mut self, path: &str, methods: MethodRouter) -> Routes {
        self.router = self.router.route(path, methods);
        self.paths.push(path.to_owned());
        self
    }

    /// The same with those of another. No path may be in both.
    pub fn merge(mut self, other: Routes) -> Routes {
        self.router = self.router.merge(other.router);
        self.paths.extend(other.paths);
        self
    }

    /// The same with something between the caller and the handlers.
    pub fn between(mut self, put: impl FnOnce(Router) -> Router) -> Routes {
        self.router = put(self.router);
        self
    }

    /// The path of each route.
    pub fn paths(&self) -> &[String] {
        &self.paths
    }

    /// What answers by them.
    pub fn into_router(self) -> Router {
        self.router
    }
}
