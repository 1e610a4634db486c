//! Owns a document as Markdown, as GitHub and its like show it. Refuses to let a text begin a markup.

use super::{Arrow, Block, Diagram, Page, Span, Text};
use crate::text::{clean, code, markdown};

pub(super) fn write(page: &Page) -> String {
    let mut out = format!("# {}\n", markdown(&page.title));
    for block in &page.blocks {
        out.push('\n');
        match block {
            Block::Heading(level, text) => {
                out.push_str(&format!("{} {}\n", "#".repeat(usize::from(*level)), spans(text)))
            }
            Block::Paragraph(text) => out.push_str(&format!("{}\n", line(text))),
            Block::List(items) => items.iter().for_each(|item| out.push_str(&format!("- {}\n", line(item)))),
            Block::Table { head, rows } => table(&mut out, head, rows),
            Block::Picture { text, .. } => fenced(&mut out, "text", text),
            Block::Diagram(diagram) => fenced(&mut out, "mermaid", &mermaid(diagram)),
        }
    }
    out
}

/// Text at the beginning of a line: what would begin a list, a quotation, a rule or a heading there does not.
fn line(text: &Text) -> String {
    let spans = spans(text);
    let digits = spans.chars().take_while(char::is_ascii_digit).count();
    let behind = spans.chars().nth(digits);
    let starts = spans.starts_with(['-', '+', '=', '>']) || (digits > 0 && matches!(behind, Some('.' | ')')));
    match (starts, digits) {
        (false, _) => spans,
        (true, 0) => format!("\\{spans}"),
        (true, digits) => format!("{}\\{}", &spans[..digits], &spans[digits..]),
    }
}

fn spans(text: &Text) -> String {
    let mut out = String::new();
    for span in &text.0 {
        match span {
            Span::Plain(text) | Span::Mark(_, text) => out.push_str(&padded(text, markdown)),
            Span::Code(text) => out.push_str(&code(text)),
            Span::Strong(text) => out.push_str(&format!("**{}**", or_dash(markdown(text)))),
            Span::Link(text, path) => out.push_str(&format!("[{}]({})", or_dash(markdown(text)), address(path))),
        }
    }
    out
}

/// Cleaned text has no white space at its ends; between two spans it matters.
fn padded(text: &str, clean: impl Fn(&str) -> String) -> String {
    let inner = clean(text);
    let space = |is: bool| if is { " " } else { "" };
    if inner.is_empty() {
        return space(!text.is_empty()).to_owned();
    }
    format!("{}{inner}{}", space(text.starts_with(' ')), space(text.ends_with(' ')))
}

fn or_dash(text: String) -> String {
    if text.is_empty() { "–".to_owned() } else { text }
}

/// A path beside the document: whatever could end the address, or begin another scheme, is encoded.
fn address(path: &str) -> String {
    super::html::encoded(&clean(path))
}

fn table(out: &mut String, head: &[&str], rows: &[Vec<Text>]) {
    out.push_str(&format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len())));
    for row in rows {
        // A bar in a code span would begin the next cell; elsewhere it is escaped already.
        let cells: Vec<String> = row.iter().map(cell).collect();
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
}

fn cell(text: &Text) -> String {
    let mut out = String::new();
    for span in &text.0 {
        let one = spans(&Text(vec![span.clone()]));
        out.push_str(&if matches!(span, Span::Code(_)) { one.replace('|', "\\|") } else { one });
    }
    out
}

/// A block in which nothing has a meaning, and that no line in it can end.
fn fenced(out: &mut String, kind: &str, text: &str) {
    out.push_str(&format!("```{kind}\n"));
    for line in text.lines() {
        out.push_str(line.replace("```", "'''").trim_end());
        out.push('\n');
    }
    out.push_str("```\n");
}

fn mermaid(diagram: &Diagram) -> String {
    let mut out = String::from("flowchart LR\n");
    for (position, words) in diagram.boxes.iter().enumerate() {
        out.push_str(&format!("  s{position}[\"{}\"]\n", quoted(words)));
    }
    for (from, to, how) in &diagram.arrows {
        let arrow = match how {
            Arrow::Hard => "-->",
            Arrow::Soft => "-.->",
            Arrow::Need => "==>|needs|",
        };
        out.push_str(&format!("  s{from} {arrow} s{to}\n"));
    }
    if let Some(own) = diagram.own {
        out.push_str(&format!("  style s{own} stroke-width:3px\n"));
    }
    out
}

/// Text in quotation marks: Mermaid takes entities there, and nothing else from outside.
fn quoted(text: &str) -> String {
    let mut out = String::new();
    for c in crate::text::clean_to(text, 80).chars() {
        if c.is_alphanumeric() || matches!(c, ' ' | '-' | '.' | ',' | ':' | '…' | '(' | ')') {
            out.push(c);
        } else {
            out.push_str(&format!("#{};", u32::from(c)));
        }
    }
    out
}
