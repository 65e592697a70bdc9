//! HTTP routes together with the list of their paths, so that a check of all routes cannot miss one.

use axum::Router;
use axum::routing::MethodRouter;

/// Routes and their paths.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    router: Router,
    paths: Vec<String>,
}

impl Routes {
    /// An empty list of routes.
    pub fn new() -> Routes {
        Routes::default()
    }

    /// Adds a route at a path in axum's syntax (`/sockjs/{*rest}`).
    pub fn route(mut self, path: &str, methods: MethodRouter) -> Routes {
        self.router = self.router.route(path, methods);
        self.paths.push(path.to_owned());
        self
    }

    /// Adds the routes of another list. No path may be in both.
    pub fn merge(mut self, other: Routes) -> Routes {
        self.router = self.router.merge(other.router);
        self.paths.extend(other.paths);
        self
    }

    /// Puts a layer between the caller and the handlers.
    pub fn between(mut self, put: impl FnOnce(Router) -> Router) -> Routes {
        self.router = put(self.router);
        self
    }

    /// The path of each route.
    pub fn paths(&self) -> &[String] {
        &self.paths
    }

    /// The router that serves them.
    pub fn into_router(self) -> Router {
        self.router
    }
}
