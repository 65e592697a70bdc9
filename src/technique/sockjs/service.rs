//! The URLs of the protocol, and their handlers.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use futures_util::future::BoxFuture;
use http::header::{ALLOW, HeaderMap, HeaderValue};
use http::{Method, StatusCode};

use super::super::routes::Routes;
use super::super::service::Service;
use super::server::{App, Options, Server};
use super::session::Session;
use super::{receive, socket};
use crate::wire::sockjs::{Endpoint, Resource};

/// The URLs of a SockJS service at `prefix`, which does not end with a slash.
pub fn routes(
    prefix: &'static str,
    service: Service,
    options: Options,
    app: impl Fn(Service, Session) -> BoxFuture<'static, ()> + Send + Sync + 'static,
) -> Routes {
    let server = Arc::new(Server::new(prefix, service, options, App::new(app)));
    let answers = any(answer).with_state(server);
    Routes::new()
        .route(prefix, answers.clone())
        .route(&format!("{prefix}/"), answers.clone())
        .route(&format!("{prefix}/{{*rest}}"), answers)
}

async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let rest = path.strip_prefix(server.prefix()).unwrap_or(&path);
    let Some(resource) = Resource::of(rest).filter(|r| server.has(*r)) else {
        return server.say(StatusCode::NOT_FOUND, "there is nothing here\n");
    };
    let allowed = allowed(resource);
    let method = match *request.method() {
        Method::HEAD => &Method::GET,
        ref method => method,
    };
    if !allowed.contains(method) {
        let list: Vec<&str> = allowed.iter().map(Method::as_str).collect();
        let allow = HeaderValue::from_str(&list.join(", ")).map(|list| (ALLOW, list));
        let ours = HeaderMap::from_iter(allow);
        return server.respond(StatusCode::METHOD_NOT_ALLOWED, ours, Body::empty());
    }
    if method == Method::OPTIONS {
        return server.options(&allowed);
    }
    match resource {
        Resource::Greeting => server.say(StatusCode::OK, "Welcome to SockJS!\n"),
        Resource::Info => server.info(),
        Resource::Iframe => server.iframe(request.headers()),
        Resource::RawWebSocket => socket::accept(&server, request, false),
        Resource::Session { session, endpoint } => in_session(&server, request, session, endpoint).await,
    }
}

fn allowed(resource: Resource) -> Vec<Method> {
    match resource {
        Resource::Greeting | Resource::Iframe => vec![Method::GET],
        Resource::Info => vec![Method::OPTIONS, Method::GET],
        Resource::RawWebSocket => vec![Method::GET, Method::CONNECT],
        Resource::Session { endpoint, .. } => match endpoint {
            Endpoint::WebSocket => vec![Method::GET, Method::CONNECT],
            Endpoint::Xhr | Endpoint::XhrSend | Endpoint::XhrStreaming => {
                vec![Method::OPTIONS, Method::POST]
            }
            Endpoint::EventSource | Endpoint::HtmlFile | Endpoint::Jsonp => vec![Method::GET],
            Endpoint::JsonpSend => vec![Method::POST],
        },
    }
}

async fn in_session(server: &Arc<Server>, request: Request, session: &str, endpoint: Endpoint) -> Response {
    match endpoint {
        Endpoint::WebSocket => socket::accept(server, request, true),
        Endpoint::XhrSend | Endpoint::JsonpSend => server.hear(request, session, endpoint).await,
        _ => receive::answer(server, request, session, endpoint).await,
    }
}
