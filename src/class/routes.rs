//! The routes of a class, and what stands in front of the techniques' own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{Query, RawQuery, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, UPGRADE};
use http::{StatusCode, Uri};
use parking_lot::Mutex;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower_http::limit::RequestBodyLimitLayer;

use super::answers::{self, Act, Report, Switch};
use super::board;
use super::lead::Order;
use super::pages::{self, BOARD, STUDENT};
use super::refused::{Refused, fresh};
use super::room::{LANES, Room, token, value};
use super::student::{AWAY, Student};
use crate::clock;
use crate::lab::server::ClientAddress;
use crate::lab::standalone::Additions;
use crate::lang::phrase;
use crate::link::Owners;
use crate::mail::Cursor;
use crate::technique::unread::read_on;
use crate::technique::{Routes, blocked};
use futures_util::future::{Either, ready};

/// The largest body of a call, bytes.
const MAX_BODY: usize = 64 * 1024;

/// What a room adds to a server. `qr` makes the QR code of an address, as SVG.
pub fn additions(room: &Arc<Room>, qr: fn(&str) -> Option<String>) -> Additions {
    let owners: Arc<dyn Owners> = room.clone();
    let admit = room.clone();
    Additions {
        routes: routes(room, qr),
        is_closed: !room.is_alone(),
        front: Some(Arc::new(|fields: &HeaderMap, uri: &Uri| {
            pages::wants_page(fields).then(|| STUDENT.answer(fields, uri.query()))
        })),
        between: Some(Arc::new(move |routes: Routes| {
            routes.between(|router| router.route_layer(from_fn_with_state(admit.clone(), admitted)))
        })),
        owners: Some(owners),
        switches: !room.is_alone(),
        outages: Some(room.outage.outages()),
    }
}

fn routes(room: &Arc<Room>, qr: fn(&str) -> Option<String>) -> Routes {
    let limits = || (from_fn(read_on), RequestBodyLimitLayer::new(MAX_BODY));
    let routes = Routes::new()
        .route("/class/join", post(join).layer(limits()).with_state(room.clone()))
        .route(
            "/class/state",
            post(state).layer(limits()).with_state(room.clone()),
        )
        .route("/class/act", post(act).layer(limits()).with_state(room.clone()))
        .route("/class/exchange", get(exchange).with_state(room.clone()));
    if room.is_alone() {
        return routes;
    }
    let cache = Arc::new(Cache::default());
    let shown = async move |State(room): State<Arc<Room>>, Query(asks): Query<Asks>, fields: HeaderMap| {
        let leads = is_led_by(&room, &fields);
        // A board that knows the arrivals of mail has the picture already.
        cache.get(leads, leads && asks.since == 0, || {
            let url = room.served().and_then(|served| served.urls.first());
            let qr = url.filter(|_| leads && asks.since == 0).and_then(|url| qr(url));
            board::state(&room, leads, qr.as_deref())
        })
    };
    routes
        .route(
            "/board",
            get(async |fields: HeaderMap, uri: Uri| BOARD.answer(&fields, uri.query())),
        )
        .route("/class/board", get(shown).with_state(room.clone()))
        .route("/class/lead", post(lead).layer(limits()).with_state(room.clone()))
}

/// How long an answer to a board does for the next: many boards together cost no more than a few.
const FRESH: Duration = Duration::from_millis(50);

/// The last answers to boards: without the key, with it, and with the picture.
#[derive(Debug, Default)]
struct Cache(Mutex<[Option<(Instant, Bytes)>; 3]>);

impl Cache {
    fn get(&self, leads: bool, pictured: bool, make: impl FnOnce() -> Value) -> Response {
        let now = clock::now();
        let mut kept = self.0.lock();
        let kept = &mut kept[usize::from(leads) + usize::from(pictured)];
        let body = match kept {
            Some((at, body)) if now.saturating_duration_since(*at) < FRESH => body.clone(),
            _ => {
                let body = Bytes::from(make().to_string());
                *kept = Some((now, body.clone()));
                body
            }
        };
        fresh(([(CONTENT_TYPE, "application/json")], body))
    }
}

/// Whether a request has the teacher's key.
fn is_led_by(room: &Room, fields: &HeaderMap) -> bool {
    let key = fields.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = key
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    room.is_key(key)
}

/// What a board knows.
#[derive(Debug, Deserialize)]
struct Asks {
    /// The newest mail.
    #[serde(default)]
    since: u64,
}

/// Reads a call's JSON.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    let read = serde_json::from_slice(body);
    read.map_err(|_| Refused::Bad(phrase!("this is nothing that the page sends")))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Join {
    code: Option<String>,
    student: Option<String>,
}

async fn join(
    State(room): State<Arc<Room>>,
    Extension(ClientAddress(from)): Extension<ClientAddress>,
    body: Bytes,
) -> Result<Response, Refused> {
    let asked: Join = read(&body)?;
    let student = room.join(from, asked.code.as_deref(), asked.student.as_deref())?;
    let mailbox = room.mails.post().mailbox();
    let cursor = Cursor::of(mailbox.newest(), mailbox.epoch());
    let names: Vec<&str> = LANES.iter().map(|technique| technique.name).collect();
    Ok(fresh(Json(json!({
        "student": student.token,
        "number": student.number,
        "colour": student.colour(),
        "cursor": cursor.to_string(),
        "techniques": names,
        "interval_ms": room.mails.post().scenario().poll_interval_ms,
        "alone": room.is_alone(),
    }))))
}

/// The student who calls, if it does not call too often.
fn caller(room: &Room, query: Option<&str>) -> Result<Arc<Student>, Refused> {
    let student = query.and_then(token).and_then(|token| room.student(token));
    let student = student.ok_or(Refused::Unknown)?;
    let now = clock::now();
    student.seen(now);
    match student.may_call(now) {
        true => Ok(student),
        false => Err(Refused::TooOften),
    }
}

async fn state(
    State(room): State<Arc<Room>>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Result<Response, Refused> {
    let student = caller(&room, query.as_deref())?;
    let report: Report = read(&body)?;
    answers::note(&room, &student, &report);
    Ok(fresh(Json(answers::state(&room, &student, &report))))
}

async fn act(
    State(room): State<Arc<Room>>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Result<StatusCode, Refused> {
    let student = caller(&room, query.as_deref())?;
    match read(&body)? {
        Act::Switch { .. } if room.is_alone() => {
            return Err(Refused::Bad(phrase!(
                "only a class has switches: see `mailcall class`"
            )));
        }
        Act::Switch { switch, on } => turn(&student, switch, on),
        Act::Mail { mail } => {
            room.mails.take(Some(&student), &mail)?;
        }
        Act::Vote { vote } => {
            let (id, vote) = vote
                .read()
                .ok_or_else(|| Refused::Bad(phrase!("a vote is a choice or a value")))?;
            room.lead.vote(&student.token, id, vote)?;
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

fn turn(student: &Student, switch: Switch, on: bool) {
    match switch {
        Switch::Blocked => student.set_blocked(on),
        Switch::Away => student
            .conditions
            .set_away(if on { AWAY } else { Default::default() }),
        Switch::Lost if on => student.conditions.lose(),
        Switch::Lost => student.conditions.find_again(),
    }
}

async fn exchange(State(room): State<Arc<Room>>, RawQuery(query): RawQuery) -> Result<Response, Refused> {
    let student = caller(&room, query.as_deref())?;
    let shown: Option<Value> = answers::exchange(
        &student,
        query
            .as_deref()
            .and_then(|q| value(q, "lane"))
            .unwrap_or_default(),
    );
    Ok(match shown {
        Some(shown) => fresh(Json(shown)),
        None => fresh((
            StatusCode::NOT_FOUND,
            Json(json!({ "error": phrase!("nothing has crossed on this lane yet").in_both() })),
        )),
    })
}

async fn lead(State(room): State<Arc<Room>>, fields: HeaderMap, body: Bytes) -> Result<Response, Refused> {
    if !is_led_by(&room, &fields) {
        let why = phrase!("this is not the key that the terminal printed");
        return Ok(fresh((
            StatusCode::UNAUTHORIZED,
            Json(json!({ "error": why.in_both() })),
        )));
    }
    match read(&body)? {
        Order::Mail { text } => {
            room.mails.take(None, text.as_deref().unwrap_or_default())?;
        }
        Order::Jitter { on } => room.set_jitter(on),
        Order::Outage {} => stop_listening(&room)?,
        Order::Hide { id } if room.mails.hide(id) => {}
        Order::Hide { .. } => return Err(Refused::Bad(phrase!("nobody wrote this mail"))),
        order @ Order::Next {} if room.lead.order(order.clone()) => {}
        Order::Next {} => return Err(Refused::Bad(phrase!("there is no lesson to go on with"))),
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn stop_listening(room: &Room) -> Result<(), Refused> {
    if !room.outage.begin(room.now_ms(), room.jitter()) {
        return Err(Refused::Bad(phrase!("the server is not listening at the moment")));
    }
    room.break_off();
    Ok(())
}

/// Lets requests to the techniques through: in a class only those of its students, and of each no more than a page
/// needs; WebSocket not where the student blocked it.
fn admitted(
    State(room): State<Arc<Room>>,
    request: Request,
    next: Next,
) -> impl Future<Output = Response> + Send {
    match refusal(&room, &request) {
        Some(refusal) => Either::Left(ready(refusal)),
        None => Either::Right(next.run(request)),
    }
}

fn refusal(room: &Room, request: &Request) -> Option<Response> {
    let student = request
        .uri()
        .query()
        .and_then(token)
        .and_then(|t| room.student(t));
    let Some(student) = student else {
        return (!room.is_alone()).then(|| Refused::Unknown.into_response());
    };
    if !student.may_request(clock::now()) {
        return Some(Refused::TooOften.into_response());
    }
    let is_blocked = student.is_blocked() && request.headers().contains_key(UPGRADE);
    is_blocked.then(blocked::refusal)
}
