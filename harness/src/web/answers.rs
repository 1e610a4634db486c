//! Owns what each route answers. Refuses to know who may ask: the guard has looked.

use super::Shared;
use super::access::{COOKIE_NAME, cookie};
use super::routes::Who;
use crate::schedule::World;
use crate::schedule::keeper::Ask;
use crate::schedule::ledger::{Held, Passed};
use crate::schedule::preview::preview;
use crate::serve::keep::Message;
use crate::serve::status::Status;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

const HOME: &str = include_str!("../../templates/serve.html");
const LOGIN: &str = include_str!("../../templates/login.html");
const STYLE: &str = include_str!("../../templates/serve.css");
const SCRIPT: &str = include_str!("../../templates/serve.js");

/// Lines of a list at most.
const LISTED_MAX: usize = 500;
/// Lines of the calendar at most.
const AHEAD_MAX: usize = 200;

/// A refusal, for programs and people.
pub(super) fn refused(status: StatusCode, why: &str) -> Response {
    (status, Json(serde_json::json!({ "error": why }))).into_response()
}

fn html(text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response()
}

pub(super) async fn home() -> Response {
    html(HOME)
}

pub(super) async fn login_page() -> Response {
    html(LOGIN)
}

pub(super) async fn asset(Path(file): Path<String>) -> Response {
    let (kind, text) = match file.as_str() {
        "serve.css" => ("text/css; charset=utf-8", STYLE),
        "serve.js" => ("text/javascript; charset=utf-8", SCRIPT),
        _ => return refused(StatusCode::NOT_FOUND, "there is no such file"),
    };
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

pub(super) async fn healthy() -> &'static str {
    "ok\n"
}

pub(super) async fn metrics(State(web): State<Shared>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], web.metrics.render()).into_response()
}

/// What a page needs to know of whoever looks, and of the server.
#[derive(Serialize)]
struct Seen<'s> {
    now: String,
    version: &'static str,
    #[serde(flatten)]
    status: &'s Status,
    /// Who looks.
    who: Option<String>,
    /// Whether they may begin and stop runs.
    may_run: bool,
    schedules: Vec<&'s str>,
    /// Standing regions.
    regions: &'s [crate::region::state::State],
}

pub(super) async fn status(State(web): State<Shared>, Extension(who): Who) -> Response {
    let view = web.door.view.borrow();
    let seen = Seen {
        now: view.now.to_string(),
        version: env!("CARGO_PKG_VERSION"),
        status: &view.status,
        may_run: who.as_ref().is_some_and(|known| known.role == super::tokens::Role::Run),
        who: who.map(|known| known.name),
        schedules: view.plan.schedules.iter().map(|schedule| schedule.name.as_str()).collect(),
        regions: &view.regions,
    };
    Json(seen).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listed {
    limit: Option<usize>,
}

#[derive(Serialize)]
struct Runs<'l> {
    runs: Vec<&'l Held>,
    passed: Vec<&'l Passed>,
}

pub(super) async fn runs(State(web): State<Shared>, Query(listed): Query<Listed>) -> Response {
    let ledger = web.door.view.borrow().ledger.clone();
    let limit = listed.limit.unwrap_or(50).min(LISTED_MAX);
    let (runs, passed) = (ledger.runs().take(limit).collect(), ledger.passed().take(limit).collect());
    Json(Runs { runs, passed }).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ahead {
    next: Option<usize>,
}

pub(super) async fn schedule(State(web): State<Shared>, Query(ahead): Query<Ahead>) -> Response {
    let (plan, ledger, now) = {
        let view = web.door.view.borrow();
        (view.plan.clone(), view.ledger.clone(), view.now)
    };
    Json(preview(&plan, &ledger, now, ahead.next.unwrap_or(10).min(AHEAD_MAX))).into_response()
}

pub(super) async fn scenarios() -> Response {
    let names: Vec<&str> = scenarios::builtin::scenario_names().collect();
    Json(names).into_response()
}

/// A body as JSON, without a word of it in the error: it may hold a token.
fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Box<Response>> {
    serde_json::from_slice(body).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Data => "the body is JSON, but not what is wanted here",
            _ => "the body is no JSON",
        };
        let place = format!("{what} (line {}, column {})", error.line(), error.column());
        Box::new(refused(StatusCode::BAD_REQUEST, &place))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    token: String,
}

/// Whoever has a token gets a session: a cookie that no script reads, no other page's request carries, that ends with the
/// browser or the server, and that is not the token.
pub(super) async fn login(State(web): State<Shared>, body: Bytes) -> Response {
    let login: Login = match read(&body) {
        Ok(login) => login,
        Err(refused) => return *refused,
    };
    let token = login.token.trim();
    let Some(known) = web.tokens.who(token) else {
        return refused(StatusCode::UNAUTHORIZED, "this token is not known");
    };
    let Ok(session) = web.sessions.begin(known) else {
        return refused(StatusCode::INTERNAL_SERVER_ERROR, "the system has no randomness");
    };
    let mut answer = Json(serde_json::json!({ "who": known.name, "role": known.role.word() })).into_response();
    set_cookie(&mut answer, &session, "", web.policy.secure);
    answer
}

pub(super) async fn logout(State(web): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(refused) = read_nothing(&body) {
        return *refused;
    }
    if let Some(session) = cookie(&headers) {
        web.sessions.end(session);
    }
    let mut answer = Json(serde_json::json!({})).into_response();
    set_cookie(&mut answer, "", "; Max-Age=0", web.policy.secure);
    answer
}

fn set_cookie(answer: &mut Response, session: &str, more: &str, secure: bool) {
    let secure = if secure { "; Secure" } else { "" };
    let cookie = format!("{COOKIE_NAME}={session}; Path=/; HttpOnly; SameSite=Strict{secure}{more}");
    if let Ok(mut value) = HeaderValue::from_str(&cookie) {
        value.set_sensitive(true);
        answer.headers_mut().insert(header::SET_COOKIE, value);
    }
}

/// A run that somebody asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Begin {
    scenario: String,
    world: World,
    #[serde(default)]
    turn: usize,
    /// A standing region of the server to hold it in.
    region: Option<String>,
    seed: Option<u64>,
}

pub(super) async fn begin(State(web): State<Shared>, Extension(who): Who, body: Bytes) -> Response {
    let Begin { scenario, world, turn, region, seed } = match read(&body) {
        Ok(begin) => begin,
        Err(refused) => return *refused,
    };
    // Over the network only what is built in: a path would open any file of this machine.
    if !scenarios::builtin::scenario_names().any(|name| name == scenario) {
        return refused(
            StatusCode::BAD_REQUEST,
            "there is no built-in scenario of that name; `/api/scenarios` lists them",
        );
    }
    let is_there = |name: &String| web.door.view.borrow().regions.iter().any(|region| region.name == *name);
    if region.as_ref().is_some_and(|name| world != World::Docker || !is_there(name)) {
        return refused(
            StatusCode::BAD_REQUEST,
            "this server has no such region; `/api/status` lists those that it has",
        );
    }
    let by = who.map_or_else(|| "somebody".to_owned(), |known| known.name);
    let (answer, answered) = oneshot::channel();
    let ask = Ask { by, scenario, turn, world, region, seed };
    let sent = web.door.messages.send(Message::Ask(ask, answer)).await;
    match (sent, answered.await) {
        (Ok(()), Ok(Ok(run))) => {
            let place = format!("/runs/{run}");
            (StatusCode::ACCEPTED, [(header::LOCATION, place)], Json(serde_json::json!({ "run": run }))).into_response()
        }
        (Ok(()), Ok(Err(why))) => refused(StatusCode::CONFLICT, &why),
        _ => refused(StatusCode::SERVICE_UNAVAILABLE, "the server ends"),
    }
}

async fn told(
    web: &Shared,
    who: Option<super::tokens::Known>,
    message: impl FnOnce(String, oneshot::Sender<()>) -> Message,
) -> Response {
    let by = who.map_or_else(|| "somebody".to_owned(), |known| known.name);
    let (done, finished) = oneshot::channel();
    let sent = web.door.messages.send(message(by, done)).await;
    match (sent, finished.await) {
        (Ok(()), Ok(())) => {
            let status = web.door.view.borrow().status.clone();
            Json(status).into_response()
        }
        _ => refused(StatusCode::SERVICE_UNAVAILABLE, "the server ends"),
    }
}

/// Nothing, or an empty object: what else is meant is not guessed.
fn read_nothing(body: &Bytes) -> Result<(), Box<Response>> {
    if body.is_empty() {
        return Ok(());
    }
    match read::<serde_json::Map<String, serde_json::Value>>(body)? {
        map if map.is_empty() => Ok(()),
        _ => Err(Box::new(refused(StatusCode::BAD_REQUEST, "nothing is to be said here but `{}`"))),
    }
}

pub(super) async fn halt(State(web): State<Shared>, Extension(who): Who, body: Bytes) -> Response {
    match read_nothing(&body) {
        Ok(()) => told(&web, who, Message::Halt).await,
        Err(refused) => *refused,
    }
}

pub(super) async fn resume(State(web): State<Shared>, Extension(who): Who, body: Bytes) -> Response {
    match read_nothing(&body) {
        Ok(()) => told(&web, who, Message::Resume).await,
        Err(refused) => *refused,
    }
}

/// A run's id, or nothing: what else comes as one is no part of a path.
fn known_run<'r>(web: &Shared, run: &'r str) -> Option<&'r str> {
    let is_id = reports::policy::Date::of_run(run).is_some()
        && run.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (is_id && (web.door.view.borrow().ledger.run(run).is_some() || web.folders.runs.join(run).is_dir())).then_some(run)
}

/// What may be had of a run's folder.
const FILES: [(&str, &str); 7] = [
    ("record.json", "application/json"),
    ("events.jsonl", "application/jsonl"),
    ("junit.xml", "application/xml"),
    ("summary.md", "text/markdown; charset=utf-8"),
    ("coe.md", "text/markdown; charset=utf-8"),
    ("report.md", "text/markdown; charset=utf-8"),
    ("bring-up.txt", "text/plain; charset=utf-8"),
];

pub(super) async fn file(State(web): State<Shared>, Path((run, name)): Path<(String, String)>) -> Response {
    let known = FILES.iter().find(|(file, _)| *file == name);
    let (Some(run), Some((file, kind))) = (known_run(&web, &run), known) else {
        return refused(StatusCode::NOT_FOUND, "there is no such file");
    };
    match std::fs::read(web.folders.runs.join(run).join(file)) {
        Ok(bytes) => ([(header::CONTENT_TYPE, *kind)], bytes).into_response(),
        Err(_) => refused(StatusCode::NOT_FOUND, "the run has no such file"),
    }
}

/// A report is one file with its styles and its script in it; it loads nothing, and reaches nothing of this server.
const REPORT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; \
                             base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-scripts allow-popups";

pub(super) async fn report(State(web): State<Shared>, Path(run): Path<String>) -> Response {
    let folder = known_run(&web, &run).map(|run| web.folders.runs.join(run));
    let page = folder
        .and_then(|folder| ["coe.html", "report.html"].iter().find_map(|name| std::fs::read(folder.join(name)).ok()));
    match page {
        Some(bytes) => {
            let headers =
                [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, REPORT_POLICY)];
            (headers, bytes).into_response()
        }
        None => refused(StatusCode::NOT_FOUND, "the run has no report yet"),
    }
}
