//! Owns the claims about what a CI server concludes from `junit.xml`. Refuses to fix its words: the committed sample does.

use crate::full;
use reports::junit;
use reports::record::{Record, from_json};
use scenarios::verdict::Verdict;

/// Names of the elements inside each test case: `failure`, `error`, `skipped`, or nothing where it passed.
fn outcomes(record: &Record) -> Vec<(String, String)> {
    let xml = junit::render(record);
    let document = roxmltree::Document::parse(&xml).unwrap();
    let cases = document.descendants().filter(|node| node.has_tag_name("testcase"));
    let outcome = |case: roxmltree::Node<'_, '_>| {
        let inside = case.first_element_child().map_or("", |child| child.tag_name().name()).to_owned();
        (case.attribute("name").unwrap().to_owned(), inside)
    };
    cases.map(outcome).collect()
}

#[test]
fn each_verdict_has_its_outcome() {
    let mut record = from_json(full::RECORD).unwrap();
    let mut fourth = record.invariants[0].clone();
    (fourth.id, fourth.verdict) = ("R1".to_owned(), Verdict::Inconclusive);
    record.invariants.push(fourth);
    let expect = [
        ("S5 in github-2016", "failure"),
        ("A1 (process kill) in github-2016", ""),
        ("Z1 in github-2016", "skipped"),
        ("R1 in github-2016", "error"),
    ];
    assert_eq!(outcomes(&record), expect.map(|(name, inside)| (name.to_owned(), inside.to_owned())));
}

#[test]
fn inconclusive_run_is_never_green() {
    let mut record = from_json(full::RECORD).unwrap();
    record.verdict = Verdict::Inconclusive;
    record.invariants.retain(|result| result.verdict == Verdict::Held);
    let last = outcomes(&record).pop().unwrap();
    assert_eq!(last, ("run in github-2016".to_owned(), "error".to_owned()));
}

/// The schema that Jenkins published, and that other servers copied.
const SCHEMA: &str = include_str!("../schemas/junit-4.xsd");

/// What a schema of elements, references and attributes says of one element.
struct Declared<'s> {
    children: Vec<(&'s str, bool)>,
    attributes: Vec<(&'s str, bool)>,
}

fn declared<'s>(schema: &'s roxmltree::Document<'s>, name: &str) -> Option<Declared<'s>> {
    let is = |node: &roxmltree::Node<'_, '_>, tag: &str| node.has_tag_name(("http://www.w3.org/2001/XMLSchema", tag));
    let element =
        schema.root_element().children().find(|node| is(node, "element") && node.attribute("name") == Some(name))?;
    let all = |tag: &'static str| element.descendants().filter(move |node| is(node, tag));
    let children = all("element")
        .filter_map(|node| Some((node.attribute("ref")?, node.attribute("maxOccurs") == Some("unbounded"))));
    let attributes =
        all("attribute").filter_map(|node| Some((node.attribute("name")?, node.attribute("use") == Some("required"))));
    Some(Declared { children: children.collect(), attributes: attributes.collect() })
}

/// Holds an element and everything in it to the schema: names, order, number, attributes.
fn breaches(schema: &roxmltree::Document<'_>, node: roxmltree::Node<'_, '_>, found: &mut Vec<String>) {
    let name = node.tag_name().name();
    let Some(own) = declared(schema, name) else { return found.push(format!("`{name}` is no element")) };
    for attribute in node.attributes().filter(|one| own.attributes.iter().all(|(known, _)| *known != one.name())) {
        found.push(format!("`{name}` has no attribute `{}`", attribute.name()));
    }
    for (needed, _) in own.attributes.iter().filter(|(known, required)| *required && node.attribute(*known).is_none()) {
        found.push(format!("`{name}` lacks `{needed}`"));
    }
    let mut at = 0;
    for child in node.children().filter(roxmltree::Node::is_element) {
        let place = own.children.iter().skip(at).position(|(known, _)| *known == child.tag_name().name());
        match place {
            Some(place) => at += place + usize::from(!own.children[at + place].1),
            None => found.push(format!("`{}` may not stand there in `{name}`", child.tag_name().name())),
        }
        breaches(schema, child, found);
    }
}

#[track_caller]
fn valid(xml: &str) -> Vec<String> {
    let (schema, document) = (roxmltree::Document::parse(SCHEMA).unwrap(), roxmltree::Document::parse(xml).unwrap());
    let mut found = Vec::new();
    breaches(&schema, document.root_element(), &mut found);
    found
}

#[test]
fn every_outcome_is_valid_by_the_published_schema() {
    let plain = from_json(full::RECORD).unwrap();
    let mut inconclusive = full::record("plain");
    inconclusive.verdict = Verdict::Inconclusive;
    inconclusive.invariants.iter_mut().for_each(|result| result.verdict = Verdict::Inconclusive);
    let mut accepted = plain.clone();
    accepted.findings.iter_mut().for_each(|finding| finding.known = true);
    let xml = junit::render_all(&[&plain, &inconclusive, &accepted]);
    assert_eq!(valid(&xml), Vec::<String>::new(), "{xml}");
    // What the schema refuses is seen.
    assert_eq!(valid(&xml.replace("<testcase name=", "<testcase title=")).len(), 2 * xml.matches("<testcase").count());
    assert!(!valid(&xml.replace("failure", "failed")).is_empty());
}
