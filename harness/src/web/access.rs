//! Owns the decision whether a request is answered: from its head alone, before a byte of its body is read. Refuses to know
//! what would be answered.

use super::sessions::Sessions;
use super::tokens::{Known, Role, Tokens};
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, HeaderMap, HeaderName, ORIGIN};
use axum::http::{Method, StatusCode};
use std::net::IpAddr;

/// The cookie of whoever has logged in.
pub const COOKIE_NAME: &str = "blackstart";

/// A header that no form and no link of another page can send: with a cookie alone nothing is changed.
pub const MARK: HeaderName = HeaderName::from_static("x-blackstart");

/// What a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: whether the server lives, and the way in.
    Nothing,
    /// The right to look.
    View,
    /// The right to begin and to stop runs.
    Run,
}

/// What holds for all requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Whether anybody who reaches the server may look.
    pub open_view: bool,
    /// Names under which it is reached, besides `localhost` and addresses.
    pub names: Vec<String>,
    /// Whether it is reached by TLS.
    pub secure: bool,
}

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// For people.
    pub why: &'static str,
}

const fn refuse(status: StatusCode, why: &'static str) -> Refusal {
    Refusal { status, why }
}

/// Whether a request may be answered, and who asks, where that is known.
///
/// # Errors
/// Why not.
pub fn decide(
    method: &Method,
    headers: &HeaderMap,
    needs: Needs,
    policy: &Policy,
    (tokens, sessions): (&Tokens, &Sessions),
) -> Result<Option<Known>, Refusal> {
    let host = text(headers, &HOST).ok_or(refuse(StatusCode::BAD_REQUEST, "a request names its host"))?;
    if !is_ours(host, policy) {
        // Another page's name that was made to lead here (DNS rebinding).
        return Err(refuse(StatusCode::MISDIRECTED_REQUEST, "this server does not go by that name; `--name` adds one"));
    }
    let changes = method != Method::GET && method != Method::HEAD;
    let from_page = text(headers, &ORIGIN);
    if changes && headers.contains_key(ORIGIN) && !from_page.is_some_and(|origin| is_same(origin, host, policy)) {
        return Err(refuse(StatusCode::FORBIDDEN, "another page may not ask for that"));
    }
    let bearer = text(headers, &AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let cookie = cookie(headers);
    let who = match bearer {
        Some(token) => tokens.who(token.trim()).cloned(),
        None => cookie.and_then(|id| sessions.who(id)),
    };
    if changes && bearer.is_none() && !headers.contains_key(MARK) {
        return Err(refuse(StatusCode::FORBIDDEN, "what changes anything carries a token, or comes from our own page"));
    }
    let role = who.as_ref().map(|known| known.role);
    let enough = match needs {
        Needs::Nothing => true,
        // A wrong token is told, also where none is needed.
        Needs::View => role.is_some() || (policy.open_view && bearer.is_none()),
        Needs::Run => role == Some(Role::Run),
    };
    match (enough, role) {
        (true, _) => Ok(who),
        (false, Some(_)) => Err(refuse(StatusCode::FORBIDDEN, "this token may look, and nothing else")),
        (false, None) if bearer.is_none() && cookie.is_none() => {
            Err(refuse(StatusCode::UNAUTHORIZED, "this needs a token: `Authorization: Bearer TOKEN`, or log in"))
        }
        (false, None) => Err(refuse(StatusCode::UNAUTHORIZED, "this token is not known")),
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut all = headers.get_all(name).iter();
    let first = all.next()?.to_str().ok()?;
    // Two hosts, or two origins, are none.
    all.next().is_none().then_some(first)
}

/// The id of whoever has logged in, as a browser says it.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|line| line.split(';'));
    pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(name, _)| *name == COOKIE_NAME).map(|(_, token)| token)
}

/// The name of a host, without its port.
fn name_of(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

/// Addresses cannot be rebound; names can.
fn is_ours(host: &str, policy: &Policy) -> bool {
    let name = name_of(host);
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok()
        || policy.names.iter().any(|own| own.eq_ignore_ascii_case(name))
}

fn is_same(origin: &str, host: &str, policy: &Policy) -> bool {
    let scheme = if policy.secure { "https://" } else { "http://" };
    origin.strip_prefix(scheme).is_some_and(|rest| rest.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    const RUN: &str = "0123456789abcdef01234567";
    const VIEW: &str = "76543210fedcba9876543210";

    fn asked(method: Method, needs: Needs, headers: &[(&'static str, &str)]) -> Result<Option<String>, u16> {
        let tokens = Tokens::parse(&format!("ann run {RUN}\nben view {VIEW}\n")).expect("tokens");
        let policy = Policy { open_view: true, names: vec!["games.example".to_owned()], secure: false };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).expect("a value"));
        }
        let sessions = Sessions::default();
        if let Some(known) = tokens.who(RUN).filter(|_| headers.iter().any(|(name, _)| *name == "cookie")) {
            let id = sessions.begin(known).expect("randomness");
            let said = map["cookie"].to_str().expect("text").replace("SESSION", &id);
            map.insert("cookie", HeaderValue::from_str(&said).expect("a value"));
        }
        let decided = decide(&method, &map, needs, &policy, (&tokens, &sessions));
        decided.map(|who| who.map(|known| known.name)).map_err(|refusal| refusal.status.as_u16())
    }

    #[test]
    fn what_changes_anything_needs_a_token_that_may() {
        let host = ("host", "127.0.0.1:8377");
        let bearer = |token: &str| format!("Bearer {token}");
        let post = |more: &[(&'static str, &str)]| {
            let all: Vec<_> = [host].into_iter().chain(more.iter().copied()).collect();
            asked(Method::POST, Needs::Run, &all)
        };
        assert_eq!(post(&[("authorization", &bearer(RUN))]), Ok(Some("ann".to_owned())));
        assert_eq!(post(&[]), Err(403));
        assert_eq!(post(&[("x-blackstart", "1")]), Err(401));
        assert_eq!(post(&[("authorization", &bearer(VIEW))]), Err(403));
        assert_eq!(post(&[("authorization", &bearer("wrong"))]), Err(401));
        assert_eq!(post(&[("authorization", "Basic abc")]), Err(403));
        let token = format!("{COOKIE_NAME}={RUN}");
        assert_eq!(post(&[("cookie", &token), ("x-blackstart", "1")]), Err(401), "a token is no session");
        let cookie = format!("a=b; {COOKIE_NAME}=SESSION");
        assert_eq!(post(&[("cookie", &cookie)]), Err(403), "a cookie alone is what another page could make it send");
        assert_eq!(post(&[("cookie", &cookie), ("x-blackstart", "1")]), Ok(Some("ann".to_owned())));
        let own = ("origin", "http://127.0.0.1:8377");
        assert_eq!(post(&[("cookie", &cookie), ("x-blackstart", "1"), own]), Ok(Some("ann".to_owned())));
        for foreign in ["http://evil.example", "https://127.0.0.1:8377", "http://127.0.0.1:1", "null", ""] {
            let with = [("cookie", cookie.as_str()), ("x-blackstart", "1"), ("origin", foreign)];
            assert_eq!(post(&with), Err(403), "{foreign}");
            assert_eq!(post(&[("authorization", &bearer(RUN)), ("origin", foreign)]), Err(403), "{foreign}");
        }
        assert_eq!(post(&[own, own, ("authorization", &bearer(RUN))]), Err(403), "two origins are none");
    }

    #[test]
    fn a_name_that_is_not_ours_is_not_answered() {
        let get = |host: &str| asked(Method::GET, Needs::View, &[("host", host)]);
        for ours in ["127.0.0.1:8377", "localhost", "LOCALHOST:1", "[::1]:8377", "10.1.2.3", "games.example:443"] {
            assert_eq!(get(ours), Ok(None), "{ours}");
        }
        for foreign in ["evil.example", "127.0.0.1.evil.example:8377", "localhost.evil.example", ""] {
            assert_eq!(get(foreign), Err(421), "{foreign}");
        }
        assert_eq!(asked(Method::GET, Needs::View, &[]), Err(400));
    }

    #[test]
    fn a_wrong_token_is_told_also_where_none_is_needed() {
        let get = |token: &str| {
            let bearer = format!("Bearer {token}");
            asked(Method::GET, Needs::View, &[("host", "localhost"), ("authorization", &bearer)])
        };
        assert_eq!(get(VIEW), Ok(Some("ben".to_owned())));
        assert_eq!(get("wrong"), Err(401));
    }
}
