//! Owns a running `blackstart serve` as its users meet it: a process, an address, tokens. Refuses to know what is claimed.

use agents::runtime::clock::mono_ns;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Far above what anything here takes on a busy machine; what never comes fails then.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// One server, and the folder of its runs.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) out: PathBuf,
    pub(crate) address: String,
}

/// An answer: status, headers as text, body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Waits for a condition.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let began = mono_ns();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Duration::from_nanos(mono_ns() - began) < PATIENCE, "{what}: not in {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blackstart"));
    command.args(arguments).env("NO_COLOR", "1");
    command
}

impl Server {
    /// Starts one over a folder, and waits until it answers.
    pub(crate) fn start(out: &Path, more: &[&str]) -> Self {
        Self::start_with(out, more, &[])
    }

    /// The same, with an environment.
    pub(crate) fn start_with(out: &Path, more: &[&str], environment: &[(&str, &str)]) -> Self {
        let address_file = out.join("serve/address");
        let _none = std::fs::remove_file(&address_file);
        let mut command = command(&["serve", "--listen", "127.0.0.1:0", "--out"]);
        command.envs(environment.iter().copied());
        let child =
            command.arg(out).args(more).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut server =
            Self { child: child.expect("it can be started"), out: out.to_path_buf(), address: String::new() };
        server.address = until("the server's address", || {
            if let Ok(Some(status)) = server.child.try_wait() {
                let output = std::io::read_to_string(server.child.stderr.take().expect("it is piped"));
                panic!("the server ended with {status}: {}", output.unwrap_or_default());
            }
            std::fs::read_to_string(&address_file).ok().filter(|text| !text.is_empty())
        });
        server
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The token of a role, from the file that the server made.
    pub(crate) fn token(&self, role: &str) -> String {
        let text = std::fs::read_to_string(self.out.join("serve/tokens")).expect("there are tokens");
        let line = text.lines().find(|line| line.split_whitespace().nth(1) == Some(role)).expect("one of that role");
        line.split_whitespace().nth(2).expect("a token").to_owned()
    }

    /// Asks something.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = agent.run(request.body(body).expect("a request")).expect("the server answers");
        let text = |value: &ureq::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let headers = answer.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let status = answer.status().as_u16();
        let body = answer.body_mut().read_to_string().unwrap_or_default();
        Answer { status, headers, body }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], b"")
    }

    /// With the token that may.
    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {}", self.token("run"));
        self.ask("POST", path, &[("authorization", &bearer)], body.as_bytes())
    }

    /// Asks for a run; returns its id.
    #[track_caller]
    pub(crate) fn begin(&self, scenario: &str, world: &str) -> String {
        let answer = self.post("/api/runs", &format!(r#"{{"scenario":"{scenario}","world":"{world}","seed":7}}"#));
        assert_eq!(answer.status, 202, "{}", answer.body);
        answer.json()["run"].as_str().expect("an id").to_owned()
    }

    /// What the ledger says of a run.
    pub(crate) fn run(&self, run: &str) -> Option<Value> {
        let runs = self.get("/api/runs?limit=500").json();
        runs["runs"].as_array()?.iter().find(|held| held["run"] == run).cloned()
    }

    /// Waits for the end of a run; returns what the ledger says of it.
    #[track_caller]
    pub(crate) fn ended(&self, run: &str) -> Value {
        until(&format!("the end of run {run}"), || self.run(run).filter(|held| held["outcome"] != "pending"))
    }

    /// Asks it to end; returns its exit status and what it said.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it is ours");
        let said = std::io::read_to_string(self.child.stderr.take().expect("it is piped")).unwrap_or_default();
        let status = self.child.wait().expect("it ends");
        (status.code(), said)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Ended already, mostly.
        let _ended = self.child.kill();
        let _gone = self.child.wait();
    }
}
