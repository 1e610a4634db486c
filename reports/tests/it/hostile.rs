//! Owns the claim that text from outside does no harm: no control reaches a terminal or a file, no markup takes effect,
//! nothing panics, and nothing grows without bound. Refuses to assume that names are short or friendly.

use crate::full;
use fixtures::diagnostic::{Diagnostic, Source};
use proptest::prelude::*;
use reports::fingerprint::Beside;
use reports::policy::Policy;
use reports::{coe, html, journal, junit, sarif, summary, table, timeline};
use unicode_width::UnicodeWidthStr;

pub(crate) fn is_harmful(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[track_caller]
fn harmless(text: &str) {
    let (record, events) = (full::record(text), full::events(text));
    let table = table::render(&record, false);
    for line in table.lines() {
        assert!(line.width() <= table::COLUMNS, "{} columns: {line}", line.width());
    }
    let related = full::related(&record, text);
    let beside = Beside { related: Some(&related), ..Beside::default() };
    let page = coe::render(&record, &events, &beside);
    // Judged without panic, whatever is in it.
    let _breaches = coe::lint::lint(&page, &Policy::default(), None);
    let browser = html::render(&record, &events, &beside);
    let job = summary::render(&[&record, &record]);
    let source = Source { name: text.to_owned(), text: text.to_owned() };
    let found = Diagnostic::error("unknown-key", &source, Some(0..text.len()), text).with_help(text);
    let scan = sarif::render(&[sarif::Row::from(&found)], &[source], text);
    assert!(serde_json::from_str::<serde_json::Value>(&scan).is_ok());
    let xml = junit::render(&record);
    let document = roxmltree::Document::parse(&xml).unwrap_or_else(|error| panic!("{error} in {xml}"));
    let cases = document.descendants().filter(|node| node.has_tag_name("testcase")).count();
    assert_eq!(cases, record.invariants.len() + record.known_gaps.len());
    well_formed(&browser);
    assert_eq!(browser.matches("<script").count(), 1);
    let live: String = events.iter().filter_map(timeline::line).map(|line| line + "\n").collect();
    for (name, out) in [
        ("table", &table),
        ("coe", &page),
        ("junit", &xml),
        ("live", &live),
        ("html", &browser),
        ("summary", &job),
        ("sarif", &scan),
    ] {
        assert_eq!(out.chars().find(|c| is_harmful(*c)), None, "in {name}");
        assert!(out.len() < 400_000, "{name} has {} bytes", out.len());
    }
    let json = reports::record::to_json(&record);
    assert_eq!(json.chars().find(|c| is_harmful(*c)), None, "in record.json");
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read, serde_json::to_value(&record).unwrap(), "escaped, it means the same");
    let coloured = table::render(&record, true);
    assert!(coloured.chars().all(|c| c == '\u{1b}' || !is_harmful(c)));
    let lines: String = events.iter().map(|event| journal::to_line(event) + "\n").collect();
    assert_eq!(journal::read(&lines).unwrap().events, events);
}

/// The body of the page is balanced markup in which no foreign text became an element or an attribute: read as XML, it
/// has only the elements that the renderer writes.
#[track_caller]
pub(crate) fn well_formed(page: &str) {
    const WRITTEN: [&str; 51] = [
        "body", "a", "header", "p", "h1", "h2", "h3", "span", "dl", "div", "dt", "dd", "small", "nav", "main",
        "section", "ul", "li", "strong", "em", "br", "i", "b", "label", "input", "svg", "defs", "pattern", "path", "g",
        "rect", "title", "text", "circle", "details", "summary", "table", "thead", "tbody", "tr", "th", "td",
        "article", "figure", "ol", "code", "script", "head", "html", "style", "meta",
    ];
    let body = &page[page.find("<body>").unwrap()..page.find("<script>").unwrap_or(page.find("</body>").unwrap())];
    let body = body.replace("<br>", "<br/>").replace("id=\"needs\">", "id=\"needs\"/>") + "</body>";
    let document = roxmltree::Document::parse(&body).unwrap_or_else(|error| panic!("{error} in {body}"));
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        assert!(WRITTEN.contains(&node.tag_name().name()), "an element `{}`", node.tag_name().name());
        assert!(node.attributes().all(|one| !one.name().starts_with("on") && one.name() != "src"), "{node:?}");
    }
    assert!(page.matches("<script").count() <= 1);
}

/// Texts that have hurt somebody.
pub(crate) const ATTACKS: [&str; 9] = [
    "",
    " ",
    "<script>alert(1)</script> & \"quotes\" 'single' ]]>",
    "\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\r\n\t\0\u{85}",
    "\u{202e}evil\u{202c} \u{2066}x\u{2069} \u{200f}שלום مرحبا",
    "| a | b |\n\n# Heading\n- [link](javascript:x) `code` ```\n*b* _i_ ~~s~~ \\ {{summary}} ![i](x)",
    "\u{fffe}\u{ffff}\u{feff}\u{e0041}👩‍👩‍👧 e\u{301}",
    "`",
    "violated",
];

#[test]
fn known_attacks_do_no_harm() {
    let long = "x".repeat(10_000);
    let wide = "電源".repeat(5_000);
    ATTACKS.into_iter().chain([long.as_str(), wide.as_str()]).for_each(harmless);
}

#[test]
fn markup_has_no_effect_in_markdown() {
    let page = coe::render(&full::record("<img src=x> | [a](b) `c`\n# d"), &[], &Beside::default());
    let outside_code = |line: &str| line.split('`').step_by(2).collect::<String>();
    for line in page.lines() {
        let bare = outside_code(&line.replace("\\`", "")).replace("\\<", "").replace("\\[", "");
        assert!(!bare.contains("<img") && !bare.contains("[a]"), "{line}");
        assert!(!line.starts_with("# d"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_does_no_harm(text in any::<String>()) {
        harmless(&text);
    }

    #[test]
    fn any_mix_of_specials_does_no_harm(text in r#"[<>&"'`|\\\[\]{}#*_~! \n\r\t\x00\x1b\u{202e}\u{2067}a-c电]{0,200}"#) {
        harmless(&text);
    }
}
