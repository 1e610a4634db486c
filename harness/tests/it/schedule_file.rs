//! Claims about the file in which people write a schedule: everything that is wrong is told, and editors know its schema.

use crate::schedule::read;

#[test]
fn everything_that_is_wrong_with_a_schedule_is_told_at_once_with_its_place() {
    let found = read(
        r#"
time-zone = "Europe/Dubln"
[[blocked-dates]]
from = "2026-12-31"
to = "2026-12-01"
reason = "backwards"
[[conditions]]
name = "shop"
http = "127.0.0.1:1"
[[conditions]]
name = "shop"
prometheus = "http://127.0.0.1:9090"
query = "up"
[[schedules]]
name = "Weekly"
cron = "0 25 * * TUE"
scenarios = ["az-power-los"]
allowed = ["Mo-Fr 9-5"]
conditions = ["shopp"]
jiter = "5m"
[[schedules]]
name = "two"
"#,
    )
    .unwrap_err();
    let told: Vec<String> = found.iter().map(|one| format!("{}: {} ({})", one.line, one.message, one.code)).collect();
    let all = told.join("\n");
    for wanted in [
        "2: there is no time zone `Europe/Dubln`",
        "`2026-12-31` to `2026-12-01` are no days in a row",
        "9: `127.0.0.1:1` is no address",
        "another condition is named `shop` too",
        "condition `shop` has no `below` or `above`",
        "`Weekly` is no name",
        "`0 25 * * TUE` is no cron expression",
        "there is no scenario `az-power-los`",
        "`Mo-Fr 9-5` is no window of the week",
        "there is no condition `shopp`",
        "unknown key `jiter`",
        "schedule `two` has no `cron`",
        "schedule `two` has no `scenarios`",
    ] {
        assert!(all.contains(wanted), "{wanted} in\n{all}");
    }
}

#[test]
fn schema_is_the_committed_one() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/schedule.schema.json");
    let schema = serde_json::to_string_pretty(&harness::schedule::file::schema()).expect("a schema is JSON") + "\n";
    if std::env::var_os("BLACKSTART_BLESS").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().expect("a folder"))
            .and_then(|()| std::fs::write(&path, &schema))
            .expect("writable");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == schema, "{} is stale: run the tests with BLACKSTART_BLESS=1", path.display());
}
