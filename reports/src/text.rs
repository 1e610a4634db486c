//! Owns what is done to text that came from outside before a person sees it: controls out, markup escaped, length
//! bounded, lines wrapped. Refuses to know what the text says.

use unicode_width::UnicodeWidthChar;

/// Characters of one foreign text that are shown; the record holds all of them.
const SHOWN_CHARS_MAX: usize = 600;

/// Controls that a terminal obeys, and invisible characters that change the order or the look of what stands around
/// them.
fn is_treacherous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// One line without controls; what is cut off is counted, never silent.
pub(crate) fn clean(text: &str) -> String {
    clean_to(text, SHOWN_CHARS_MAX)
}

/// The same with a bound of its own.
pub(crate) fn clean_to(text: &str, chars_max: usize) -> String {
    let visible = text.chars().filter(|c| c.is_whitespace() || !is_treacherous(*c)).collect::<String>();
    let line = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    let chars = line.chars().count();
    if chars <= chars_max {
        return line;
    }
    let head: String = line.chars().take(chars_max).collect();
    format!("{head}… ({} more characters)", chars - chars_max)
}

/// Clean, and without a meaning in Markdown or in the HTML that Markdown lets through.
pub(crate) fn markdown(text: &str) -> String {
    let mut out = String::new();
    for c in clean(text).chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '#' | '|' | '!' | '~' | '&' | '$') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Clean, as a code span; a back-tick inside would end the span and becomes an apostrophe.
pub(crate) fn code(text: &str) -> String {
    let inner = clean(text).replace('`', "'");
    if inner.is_empty() { "(empty)".to_owned() } else { format!("`{inner}`") }
}

/// Clean, and without a meaning in HTML: safe as the text of an element and as the value of a quoted attribute.
pub(crate) fn html(text: &str) -> String {
    html_to(text, SHOWN_CHARS_MAX)
}

/// The same with a bound of its own.
pub(crate) fn html_to(text: &str, chars_max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(chars_max));
    for c in clean_to(text, chars_max).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A value as indented JSON in which no character from outside is obeyed by a terminal: it is escaped, and means the same.
pub(crate) fn json(value: &serde_json::Value) -> String {
    escaped_json(&format!("{value:#}"))
}

/// The same of what is JSON already.
pub(crate) fn escaped_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && is_treacherous(c) {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out
}

/// Columns that a terminal gives to a character. A variation selector makes the emoji before it wide.
fn columns(c: char) -> usize {
    if c == '\u{fe0f}' { 1 } else { c.width().unwrap_or(0) }
}

/// Columns of a line.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// Breaks a clean line at spaces, and inside a word only where the word alone is too wide. Never empty.
pub(crate) fn wrap(text: &str, columns_max: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && width(&line) + 1 + width(word) > columns_max {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            if width(&line) + columns(c) > columns_max {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    lines.push(line);
    lines
}

/// Cleans, wraps, and puts `first` before the first line and as many spaces before the others. A prefix that leaves
/// no room is shortened.
pub(crate) fn hang(first: &str, text: &str, columns_max: usize) -> String {
    let first: String = first.chars().take(columns_max / 2).collect();
    let indent = width(&first);
    let mut out = String::new();
    for (index, line) in wrap(&clean(text), columns_max.saturating_sub(indent).max(2)).iter().enumerate() {
        let prefix = if index == 0 { first.clone() } else { " ".repeat(indent) };
        out.push_str(format!("{prefix}{line}").trim_end());
        out.push('\n');
    }
    out
}

/// Nanoseconds of the run as a person reads them: `+41.250 s`.
pub(crate) fn moment(t_ns: u64) -> String {
    format!("+{}.{:03} s", t_ns / 1_000_000_000, t_ns / 1_000_000 % 1000)
}

/// A length of time with a unit that leaves three or more digits.
pub(crate) fn length(ns: u64) -> String {
    match ns {
        0..10_000 => format!("{ns} ns"),
        10_000..10_000_000 => format!("{}.{:02} ms", ns / 1_000_000, ns / 10_000 % 100),
        10_000_000..10_000_000_000 => format!("{} ms", ns / 1_000_000),
        _ => format!("{}.{} s", ns / 1_000_000_000, ns / 100_000_000 % 10),
    }
}

/// The same from milliseconds of a measurement; a figure that is none says so.
pub(crate) fn length_ms(ms: f64) -> String {
    if ms.is_finite() && ms >= 0.0 {
        #[expect(clippy::cast_possible_truncation, reason = "`as` from a float saturates, and no run lasts 500 years")]
        #[expect(clippy::cast_sign_loss, reason = "checked above")]
        let ns = (ms * 1e6).round() as u64;
        length(ns)
    } else {
        "not a number".to_owned()
    }
}

/// A share as a percentage, cut and not rounded: 99.999 % is never shown as 100 %.
pub(crate) fn share(share: Option<f64>) -> String {
    match share {
        None => "–".to_owned(),
        Some(share) if share >= 1.0 => "100 %".to_owned(),
        Some(share) => format!("{:.2} %", (share * 10_000.0).floor() / 100.0),
    }
}

/// `1 host`, `3 hosts`.
pub(crate) fn count(number: impl TryInto<u64>, noun: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// At most eight items, and how many more there are.
pub(crate) fn list(items: &[impl ToString]) -> String {
    const SHOWN: usize = 8;
    let mut shown: Vec<String> = items.iter().take(SHOWN).map(|item| clean_to(&item.to_string(), 80)).collect();
    if items.len() > SHOWN {
        shown.push(format!("{} more", items.len() - SHOWN));
    }
    shown.join(", ")
}
