//! Owns what is different of containers and networks after a game day, field by field, and which fields an engine changes by
//! itself whenever a container ends and starts. Refuses to know what was done to them.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// What an engine changes by itself when a container ends and is started, and nobody can put back. `*` is any name; what lies below a
/// field is meant with it. Every other field must be as it was.
pub const BY_ENGINE: [(&[&str], &str); 14] = [
    (&["State", "Pid"], "number of its first process"),
    (&["State", "StartedAt"], "when it was started last"),
    (&["State", "FinishedAt"], "when it ended last"),
    (&["State", "ExitCode"], "status of its last end"),
    (&["State", "OOMKilled"], "whether its last end was for want of memory"),
    (&["State", "Health"], "results of its health check, but for `healthy` before and `unhealthy` after"),
    (&["RestartCount"], "how often the engine has restarted it: an order to start begins at zero"),
    (&["ExecIDs"], "commands under way in it, such as its health check"),
    (&["NetworkSettings", "SandboxID"], "its network namespace"),
    (&["NetworkSettings", "SandboxKey"], "its network namespace"),
    (&["NetworkSettings", "Networks", "*", "EndpointID"], "its end of a network's cable"),
    (&["NetworkSettings", "Networks", "*", "MacAddress"], "hardware address, drawn anew by engines from 28 on"),
    (&["Containers", "*", "EndpointID"], "of a network: a container's end of its cable"),
    (&["Containers", "*", "MacAddress"], "of a network: a container's hardware address there"),
];

/// Below it are the ports of the machine at which a container is reached; one that nobody chose is drawn anew at each start.
const PORTS: [&str; 2] = ["NetworkSettings", "Ports"];

/// A field.
type Path = Vec<String>;
/// What is said of one object.
type Fields = BTreeMap<Path, String>;

/// What an engine says of each object, by a name for it such as `container shop_db_1`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen(BTreeMap<String, Fields>);

impl Seen {
    /// Adds what is said of an object; `None` is one that is not there.
    pub fn add(&mut self, object: String, said: Option<&Value>) {
        let mut fields = Fields::new();
        if let Some(said) = said {
            flatten(said, &mut Path::new(), &mut fields);
        }
        self.0.insert(object, fields);
    }

    /// Whether an object that was `healthy` before has not come to a result again.
    pub fn is_settling_since(&self, before: &Self) -> bool {
        let health = |seen: &Self, object: &str| seen.0.get(object)?.get(&health()).cloned();
        let settling = |object: &String| {
            health(self, object).is_some_and(|now| now == "starting")
                && health(before, object).is_some_and(|was| was == "healthy")
        };
        self.0.keys().any(settling)
    }
}

/// What a container's health check has come to.
fn health() -> Path {
    ["State", "Health", "Status"].map(str::to_owned).into()
}

/// One field that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The object.
    pub object: String,
    /// The field, as `HostConfig.RestartPolicy.Name`.
    pub field: String,
    /// What it was; empty where it was not there.
    pub before: String,
    /// What it is.
    pub after: String,
}

impl Changed {
    fn line(&self) -> String {
        let shown = |text: &str| if text.is_empty() { "nothing".to_owned() } else { format!("`{text}`") };
        format!("{}: {} was {}, is {}", self.object, self.field, shown(&self.before), shown(&self.after))
    }
}

/// All that is different.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// How many objects were compared.
    pub objects: usize,
    /// What must be as it was, and is not.
    pub changed: Vec<Changed>,
    /// Fields that the engine changes by itself, and of how many objects.
    pub by_engine: BTreeMap<String, usize>,
}

impl Difference {
    /// What is not as it was, a line each: object, and what is different.
    pub fn residue(&self) -> Vec<(String, String)> {
        self.changed.iter().map(|changed| ("difference".to_owned(), changed.line())).collect()
    }

    /// Fields that the engine changed by itself, in one sentence.
    pub fn told(&self) -> String {
        let fields: Vec<String> = self.by_engine.iter().map(|(field, many)| format!("{field} ({many})")).collect();
        match fields.as_slice() {
            [] => "the engine changed nothing by itself".to_owned(),
            _ => format!("changed by the engine itself, in so many objects each: {}", fields.join(", ")),
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!("{} containers and networks, before and after:\n", self.objects);
        match self.changed.as_slice() {
            [] => text += "  everything else is as it was\n",
            changed => {
                for changed in changed {
                    // Writing to a string never fails.
                    let _written = writeln!(text, "  NOT AS IT WAS: {}", changed.line());
                }
            }
        }
        let _written = writeln!(text, "  {}", self.told());
        text
    }
}

/// Compares what was said before with what is said now.
pub fn difference(before: &Seen, after: &Seen) -> Difference {
    let mut found = Difference { objects: before.0.len(), ..Difference::default() };
    let nothing = Fields::new();
    for (object, was) in &before.0 {
        let is = after.0.get(object).unwrap_or(&nothing);
        if is.is_empty() && !was.is_empty() {
            let (before, after) = ("there".to_owned(), String::new());
            found.changed.push(Changed { object: object.clone(), field: "it".to_owned(), before, after });
            continue;
        }
        let mut here: BTreeSet<String> = BTreeSet::new();
        let paths: BTreeSet<&Path> = was.keys().chain(is.keys()).collect();
        for path in paths.into_iter().filter(|path| was.get(*path) != is.get(*path)) {
            let fell_ill = *path == health()
                && was.get(path).is_some_and(|was| was == "healthy")
                && is.get(path).is_some_and(|is| is == "unhealthy");
            if let Some(field) = by_engine(path, was).filter(|_| !fell_ill) {
                here.insert(field);
                continue;
            }
            let value = |fields: &Fields| fields.get(path).cloned().unwrap_or_default();
            let (before, after) = (value(was), value(is));
            found.changed.push(Changed { object: object.clone(), field: path.join("."), before, after });
        }
        for field in here {
            *found.by_engine.entry(field).or_default() += 1;
        }
    }
    for (object, _) in after.0.iter().filter(|(object, is)| !is.is_empty() && !before.0.contains_key(*object)) {
        let (before, after) = (String::new(), "there".to_owned());
        found.changed.push(Changed { object: object.clone(), field: "it".to_owned(), before, after });
    }
    found
}

/// The entry of [`BY_ENGINE`] that a field is below.
fn by_engine(path: &[String], was: &Fields) -> Option<String> {
    let under = |pattern: &[&str]| {
        path.len() >= pattern.len() && path.iter().zip(pattern).all(|(name, wanted)| *wanted == "*" || name == wanted)
    };
    if under(&PORTS) {
        let bindings = ["HostConfig", "PortBindings"].map(str::to_owned).into_iter();
        let of: Path = bindings.chain(path.get(PORTS.len()).cloned()).collect();
        let mut chosen =
            was.iter().filter(|(path, _)| path.starts_with(&of) && path.last().is_some_and(|name| name == "HostPort"));
        return chosen.all(|(_, port)| matches!(port.as_str(), "" | "0")).then(|| PORTS.join("."));
    }
    BY_ENGINE.iter().find(|(pattern, _)| under(pattern)).map(|(pattern, _)| pattern.join("."))
}

/// Every value with its path. Lists of objects come in any order from an engine: they are put into one.
fn flatten(value: &Value, path: &mut Path, into: &mut Fields) {
    let mut below = |name: String, value: &Value| {
        path.push(name);
        flatten(value, path, into);
        path.pop();
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| below(name.clone(), value)),
        Value::Array(values) => {
            let mut values: Vec<&Value> = values.iter().collect();
            if values.iter().any(|value| value.is_object()) {
                values.sort_by_key(|value| value.to_string());
            }
            values.into_iter().enumerate().for_each(|(place, value)| below(place.to_string(), value));
        }
        Value::Null => {}
        Value::String(text) => drop(into.insert(path.clone(), text.clone())),
        other => drop(into.insert(path.clone(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn compared(before: &Value, after: &Value) -> Difference {
        let seen = |value: &Value| {
            let mut seen = Seen::default();
            seen.add("container shop_db_1".to_owned(), Some(value));
            seen
        };
        difference(&seen(before), &seen(after))
    }

    fn container(pid: u32, policy: &str, address: &str) -> Value {
        json!({
            "Name": "/shop_db_1",
            "RestartCount": pid,
            "State": {"Running": true, "Pid": pid, "Health": {"Log": [{"Output": pid.to_string()}]}},
            "HostConfig": {"RestartPolicy": {"Name": policy}},
            "NetworkSettings": {"Networks": {"shop_default": {"IPAddress": address, "EndpointID": pid.to_string()}}},
        })
    }

    #[test]
    fn what_an_engine_changes_by_itself_is_told_and_is_no_difference() {
        let found = compared(&container(1, "always", "172.18.0.2"), &container(2, "always", "172.18.0.2"));
        assert_eq!(found.changed, []);
        let fields: Vec<&str> = found.by_engine.keys().map(String::as_str).collect();
        assert_eq!(fields, ["NetworkSettings.Networks.*.EndpointID", "RestartCount", "State.Health", "State.Pid"]);
        assert!(found.text().contains("everything else is as it was") && found.told().contains("State.Pid (1)"));
    }

    #[test]
    fn a_policy_or_an_address_that_is_another_is_a_difference() {
        let found = compared(&container(1, "always", "172.18.0.2"), &container(1, "no", "172.18.0.3"));
        let lines: Vec<String> = found.residue().into_iter().map(|(_, line)| line).collect();
        assert_eq!(
            lines,
            [
                "container shop_db_1: HostConfig.RestartPolicy.Name was `always`, is `no`",
                "container shop_db_1: NetworkSettings.Networks.shop_default.IPAddress was `172.18.0.2`, is `172.18.0.3`",
            ]
        );
    }

    #[test]
    fn an_object_that_is_gone_is_one_difference() {
        let mut before = Seen::default();
        before.add("network shop_default".to_owned(), Some(&json!({"Name": "shop_default", "Driver": "bridge"})));
        let mut after = Seen::default();
        after.add("network shop_default".to_owned(), None);
        assert_eq!(difference(&before, &after).changed.len(), 1);
        assert_eq!(difference(&before, &before.clone()).changed, []);
    }

    #[test]
    fn an_object_that_is_new_is_a_difference() {
        let mut after = Seen::default();
        after.add("container shop_job_1".to_owned(), Some(&json!({"Name": "/shop_job_1"})));
        let found = difference(&Seen::default(), &after);
        let lines: Vec<String> = found.residue().into_iter().map(|(_, line)| line).collect();
        assert_eq!(lines, ["container shop_job_1: it was nothing, is `there`"]);
    }

    #[test]
    fn who_was_healthy_and_is_not_any_more_is_a_difference_once_that_is_known() {
        let with = |status: &str| json!({"State": {"Health": {"Status": status, "Log": [{"Output": status}]}}});
        let found = compared(&with("healthy"), &with("unhealthy"));
        let lines: Vec<String> = found.residue().into_iter().map(|(_, line)| line).collect();
        assert_eq!(lines, ["container shop_db_1: State.Health.Status was `healthy`, is `unhealthy`"]);
        for (was, is) in [("healthy", "starting"), ("starting", "unhealthy"), ("unhealthy", "healthy")] {
            assert_eq!(compared(&with(was), &with(is)).changed, [], "{was} and {is}");
        }
        let seen = |status: &str| {
            let mut seen = Seen::default();
            seen.add("container shop_db_1".to_owned(), Some(&with(status)));
            seen
        };
        assert!(seen("starting").is_settling_since(&seen("healthy")));
        assert!(!seen("starting").is_settling_since(&seen("starting")));
        assert!(!seen("unhealthy").is_settling_since(&seen("healthy")));
    }

    #[test]
    fn a_port_that_somebody_chose_must_stay_and_lists_of_objects_have_no_order() {
        let with = |chosen: &str, port: &str| {
            json!({
                "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": chosen}]}},
                "NetworkSettings": {"Ports": {"80/tcp": [{"HostPort": port}]}},
            })
        };
        assert_eq!(compared(&with("", "32768"), &with("", "32770")).changed, []);
        assert_eq!(compared(&with("8080", "8080"), &with("8080", "8081")).changed.len(), 1);
        let mounts = |order: [&str; 2]| json!({"Mounts": order.map(|at| json!({"Destination": at}))});
        assert_eq!(
            compared(&mounts(["/a", "/b"]), &mounts(["/b", "/a"])),
            Difference { objects: 1, ..Difference::default() }
        );
    }
}
