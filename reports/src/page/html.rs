//! Owns a document as one page for a browser: readable offline, light and dark, printable. Refuses to load anything from
//! anywhere, and has no script.

use super::{Arrow, Block, Diagram, Page, Span, Text};
use crate::text::html;

/// How it looks.
const STYLE: &str = include_str!("../../templates/page.css");

pub(super) fn write(page: &Page) -> String {
    let title = html(&page.title);
    let mut out = String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    out.push_str(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n",
    );
    out.push_str(&format!(
        "<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    ));
    for block in &page.blocks {
        match block {
            Block::Heading(level, text) => out.push_str(&format!("<h{level}>{}</h{level}>\n", spans(text))),
            Block::Paragraph(text) => out.push_str(&format!("<p>{}</p>\n", spans(text))),
            Block::List(items) => list(&mut out, items),
            Block::Table { head, rows } => table(&mut out, head, rows),
            Block::Picture { svg, .. } => out.push_str(&format!("<figure>{svg}</figure>\n")),
            Block::Diagram(diagram) => list(&mut out, &edges(diagram)),
        }
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn list(out: &mut String, items: &[Text]) {
    out.push_str("<ul>\n");
    items.iter().for_each(|item| out.push_str(&format!("<li>{}</li>\n", spans(item))));
    out.push_str("</ul>\n");
}

fn table(out: &mut String, head: &[&str], rows: &[Vec<Text>]) {
    out.push_str("<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr>");
    head.iter().for_each(|name| out.push_str(&format!("<th scope=\"col\">{}</th>", html(name))));
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        row.iter().for_each(|cell| out.push_str(&format!("<td>{}</td>", spans(cell))));
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table></div>\n");
}

fn spans(text: &Text) -> String {
    let mut out = String::new();
    for span in &text.0 {
        match span {
            Span::Plain(text) => out.push_str(&padded(text)),
            Span::Code(text) => out.push_str(&format!("<code>{}</code>", html(text))),
            Span::Strong(text) => out.push_str(&format!("<strong>{}</strong>", html(text))),
            Span::Link(text, path) => {
                out.push_str(&format!("<a href=\"{}\">{}</a>", encoded(&crate::text::clean(path)), html(text)));
            }
            Span::Mark(state, text) => out.push_str(&format!("<span class=\"m-{state}\">{}</span>", html(text))),
        }
    }
    out
}

fn padded(text: &str) -> String {
    let inner = html(text);
    let space = |is: bool| if is { " " } else { "" };
    if inner.is_empty() {
        return space(!text.is_empty()).to_owned();
    }
    format!("{}{inner}{}", space(text.starts_with(' ')), space(text.ends_with(' ')))
}

/// A relative address. Everything but what names of files are made of is encoded, a colon included: no text begins a
/// scheme.
pub(super) fn encoded(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._/#".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn edges(diagram: &Diagram) -> Vec<Text> {
    let name = |at: usize| diagram.boxes.get(at).cloned().unwrap_or_default();
    let edge = |(from, to, how): &(usize, usize, Arrow)| {
        let how = match how {
            Arrow::Hard => " calls, and fails without ",
            Arrow::Soft => " calls, and does without ",
            Arrow::Need => " needs at start ",
        };
        Text::new().code(name(*from)).plain(how).code(name(*to))
    };
    diagram.arrows.iter().map(edge).collect()
}
