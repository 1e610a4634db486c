//! Claims about the word that stands for what every scenario judges.

use fixtures::diagnostic::Source;
use scenarios::judge::STANDARD;
use scenarios::load::load_scenario;

fn invariants(list: &str) -> Vec<String> {
    let text = format!(
        "name = \"day\"\ntopology = \"us-test-1\"\ngraph = \"minimal\"\n{list}\n[[faults]]\nname = \"dark\"\n\
         power-off = {{ zones = [\"az1\"] }}\nlasts = \"5s\"\n"
    );
    load_scenario(&Source { name: "day.toml".to_owned(), text }).expect("it loads").0.invariants
}

#[test]
fn standard_stands_for_four_and_others_may_follow() {
    assert_eq!(invariants(""), STANDARD);
    assert_eq!(invariants("invariants = [\"standard\"]"), STANDARD);
    assert_eq!(invariants("invariants = [\"D6\", \"standard\", \"Z2\"]"), ["D6", "Z1", "S5", "A1", "R1", "Z2"]);
    assert_eq!(invariants("invariants = [\"S5\", \"standard\"]"), ["S5", "Z1", "A1", "R1"], "each once");
}
