//! Owns the table of all routes: what each needs is written beside it, and what is not in it is not answered. Refuses to know
//! what they answer.

use super::access::{self, Needs, Refusal};
use super::{Shared, answers};
use crate::live;
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Extension, MatchedPath, Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use std::time::Duration;

/// A body is a few words: a larger one is refused unread, in bytes.
pub const BODY_MAX: usize = 16 * 1024;

/// What is asked by a body is answered within this.
const BODY_WITHIN: Duration = Duration::from_secs(15);

/// One route.
#[derive(Debug, Clone)]
pub struct Route {
    /// How.
    pub method: Method,
    /// Where; `{name}` is any one part.
    pub path: &'static str,
    /// What it needs.
    pub needs: Needs,
}

const fn route(method: Method, path: &'static str, needs: Needs) -> Route {
    Route { method, path, needs }
}

/// All of them.
pub const ROUTES: &[Route] = &[
    route(Method::GET, "/", Needs::View),
    route(Method::GET, "/login", Needs::Nothing),
    route(Method::GET, "/assets/{file}", Needs::Nothing),
    route(Method::GET, "/healthz", Needs::Nothing),
    route(Method::GET, "/assets/live.css", Needs::Nothing),
    route(Method::GET, "/assets/live.js", Needs::Nothing),
    route(Method::GET, "/metrics", Needs::View),
    route(Method::GET, "/runs/{run}", Needs::View),
    route(Method::GET, "/api/runs/{run}/live", Needs::View),
    route(Method::GET, "/runs/{run}/report", Needs::View),
    route(Method::GET, "/runs/{run}/files/{file}", Needs::View),
    route(Method::GET, "/api/status", Needs::View),
    route(Method::GET, "/api/runs", Needs::View),
    route(Method::GET, "/api/schedule", Needs::View),
    route(Method::GET, "/api/scenarios", Needs::View),
    route(Method::POST, "/api/login", Needs::Nothing),
    route(Method::POST, "/api/logout", Needs::Nothing),
    route(Method::POST, "/api/runs", Needs::Run),
    route(Method::POST, "/api/halt", Needs::Run),
    route(Method::POST, "/api/resume", Needs::Run),
];

/// What answers a route of the table; nothing for those of the live view, which brings its own.
fn handler(route: &Route) -> Option<MethodRouter<Shared>> {
    Some(match (route.method == Method::POST, route.path) {
        (false, "/") => get(answers::home),
        (false, "/login") => get(answers::login_page),
        (false, "/assets/{file}") => get(answers::asset),
        (false, "/healthz") => get(answers::healthy),
        (false, "/metrics") => get(answers::metrics),
        (false, "/runs/{run}/report") => get(answers::report),
        (false, "/runs/{run}/files/{file}") => get(answers::file),
        (false, "/api/status") => get(answers::status),
        (false, "/api/runs") => get(answers::runs),
        (false, "/api/schedule") => get(answers::schedule),
        (false, "/api/scenarios") => get(answers::scenarios),
        (true, "/api/login") => post(answers::login),
        (true, "/api/logout") => post(answers::logout),
        (true, "/api/runs") => post(answers::begin),
        (true, "/api/halt") => post(answers::halt),
        (true, "/api/resume") => post(answers::resume),
        _ => return None,
    })
}

/// The whole face of a server.
pub fn router(web: Shared) -> Router {
    let mut router: Router<Shared> = Router::new();
    for route in ROUTES {
        if let Some(handler) = handler(route) {
            router = router.route(route.path, handler);
        }
    }
    router
        .with_state(web.clone())
        .merge(live::router(web.shown.clone()))
        .route_layer(middleware::from_fn_with_state(web.clone(), guard))
        .fallback(|| async { answers::refused(StatusCode::NOT_FOUND, "there is nothing here") })
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn(headers))
}

/// Nothing is read and nothing is done for whoever may not.
async fn guard(State(web): State<Shared>, path: MatchedPath, request: Request, next: Next) -> Response {
    let answer = admit(&web, &path, request, next).await;
    web.metrics.http(path.as_str(), answer.status().as_u16());
    answer
}

async fn admit(web: &Shared, path: &MatchedPath, mut request: Request, next: Next) -> Response {
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    let Some(route) = ROUTES.iter().find(|route| route.path == path.as_str() && route.method == *method) else {
        return answers::refused(StatusCode::METHOD_NOT_ALLOWED, "that is not done here");
    };
    match access::decide(request.method(), request.headers(), route.needs, &web.policy, (&web.tokens, &web.sessions)) {
        Ok(who) => {
            request.extensions_mut().insert(who);
            if route.method == Method::GET {
                return next.run(request).await;
            }
            // A few words take no time; whoever sends them one by one must not hold a place.
            let answered = tokio::time::timeout(BODY_WITHIN, next.run(request)).await;
            answered.unwrap_or_else(|_| answers::refused(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"))
        }
        // A person is led to where a token can be given.
        Err(Refusal { status: StatusCode::UNAUTHORIZED, .. }) if is_page(&request) => {
            (StatusCode::SEE_OTHER, [(header::LOCATION, "/login")]).into_response()
        }
        Err(Refusal { status, why }) => answers::refused(status, why),
    }
}

/// Who asks, as the guard found out.
pub type Who = Extension<Option<super::tokens::Known>>;

fn is_page(request: &Request<Body>) -> bool {
    let accepted = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    request.method() == Method::GET && accepted.is_some_and(|types| types.contains("text/html"))
}

/// What browsers are told of every answer: nothing from elsewhere, nothing inline, nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

async fn headers(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    let headers = answer.headers_mut();
    let all = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in all {
        // A report has a policy of its own.
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    answer
}
