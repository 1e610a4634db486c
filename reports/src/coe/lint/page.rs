//! Owns a page as the linter sees it: sections, lines, table cells, figures and citations. Refuses to know any rule.

use scenarios::event::EventId;

/// A page.
pub(super) struct Page<'t> {
    /// The first heading, with its line.
    pub(super) title: Option<(usize, &'t str)>,
    /// What stands below each heading of the second level.
    pub(super) sections: Vec<Section<'t>>,
}

/// One section.
pub(super) struct Section<'t> {
    /// Its heading.
    pub(super) name: &'t str,
    /// The heading's line, from 1.
    pub(super) line: usize,
    /// Its lines with their numbers; plots between fences are none.
    pub(super) lines: Vec<(usize, &'t str)>,
}

impl<'t> Page<'t> {
    pub(super) fn read(text: &'t str) -> Self {
        let mut page = Self { title: None, sections: Vec::new() };
        let mut fenced = false;
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
            } else if let (false, Some(name)) = (fenced, line.strip_prefix("## ")) {
                page.sections.push(Section { name: name.trim(), line: number, lines: Vec::new() });
            } else if let (false, Some(title)) = (fenced, line.strip_prefix("# ")) {
                page.title.get_or_insert((number, title.trim()));
            } else if let (false, Some(section)) = (fenced, page.sections.last_mut()) {
                section.lines.push((number, line));
            } else if let Some(section) = page.sections.last_mut() {
                // Something is there, and it is no prose.
                section.lines.push((number, "(plot)"));
            }
        }
        page
    }

    pub(super) fn section(&self, name: &str) -> Option<&Section<'t>> {
        self.sections.iter().find(|section| section.name == name)
    }
}

/// The line without code, and without the blanks that are left for people.
pub(super) fn bare(line: &str) -> String {
    let line = line.replace("\\`", "`");
    let mut out: String = line.split('`').step_by(2).collect::<Vec<_>>().join(" ");
    while let Some(start) = out.find("_(blank:") {
        let end = out[start..].find(")_").map_or(out.len(), |end| start + end + 2);
        out.replace_range(start..end, " ");
    }
    out.replace('\\', "")
}

/// Whether it is nothing but a blank (and the number or the dash before it).
pub(super) fn is_blank(line: &str) -> bool {
    line.contains("_(blank:") && !bare(line).chars().any(char::is_alphabetic)
}

fn trimmed(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric() && c != '-' && c != '+' && c != '@')
}

/// Words of a line without what surrounds them.
pub(super) fn words(line: &str) -> Vec<String> {
    bare(line).split_whitespace().map(|word| trimmed(word).to_lowercase()).filter(|word| !word.is_empty()).collect()
}

/// Figures: words that begin with a digit, but for the number of a list's item.
pub(super) fn figures(line: &str) -> impl Iterator<Item = String> {
    let bare = bare(line);
    let rest = bare.trim_start();
    let digits = rest.chars().take_while(char::is_ascii_digit).count();
    let rest = if digits > 0 && rest[digits..].starts_with(". ") { &rest[digits + 2..] } else { rest };
    let words = rest.split_whitespace().map(|word| trimmed(word).trim_start_matches(['+', '-']).to_owned());
    words.filter(|word| word.starts_with(|c: char| c.is_ascii_digit())).collect::<Vec<_>>().into_iter()
}

pub(super) fn has_figure(line: &str) -> bool {
    figures(line).next().is_some()
}

/// Ids of events on a line.
pub(super) fn citations(line: &str) -> impl Iterator<Item = EventId> {
    let bare = bare(line);
    let words: Vec<EventId> = bare
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_')
        .filter_map(|word| EventId::try_from(word.to_owned()).ok())
        .collect();
    words.into_iter()
}

pub(super) fn cites(line: &str) -> bool {
    citations(line).next().is_some()
}

/// Ends of sentences on a line; a line that does not end one counts as one.
pub(super) fn sentences(line: &str) -> usize {
    let bare = bare(line);
    let text = bare.trim();
    if text.is_empty() {
        return 0;
    }
    let ends = text.split_whitespace().filter(|word| word.trim_end_matches([']', ')', '*']).ends_with(['.', '!', '?']));
    ends.count().max(1)
}

/// Cells of a table's row; a bar behind a backslash is text.
pub(super) fn cells(line: &str) -> Option<Vec<String>> {
    let line = line.trim();
    let inner = line.strip_prefix('|')?.strip_suffix('|')?;
    let mut cells = vec![String::new()];
    let mut escaped = false;
    for c in inner.chars() {
        if c == '|' && !escaped {
            cells.push(String::new());
        } else if let Some(cell) = cells.last_mut() {
            cell.push(c);
        }
        escaped = c == '\\' && !escaped;
    }
    Some(cells.iter().map(|cell| cell.trim().to_owned()).collect())
}

/// A table: its column names in lower case, and its rows with their lines.
pub(super) struct Table {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<(usize, Vec<String>)>,
}

impl Table {
    /// The first table of a section.
    pub(super) fn first(section: &Section<'_>) -> Option<Self> {
        let mut lines = section.lines.iter().skip_while(|(_, line)| cells(line).is_none());
        let columns = cells(lines.next()?.1)?.iter().map(|cell| cell.to_lowercase()).collect();
        let rows = lines.map_while(|(number, line)| Some((*number, cells(line)?)));
        let is_rule = |cells: &[String]| cells.iter().all(|cell| cell.chars().all(|c| matches!(c, '-' | ':' | ' ')));
        Some(Self { columns, rows: rows.filter(|(_, cells)| !is_rule(cells)).collect() })
    }

    /// The column whose name begins so.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.starts_with(name))
    }
}

/// A cell; one that is not there is empty.
pub(super) fn cell(cells: &[String], column: Option<usize>) -> &str {
    column.and_then(|column| cells.get(column)).map_or("", String::as_str)
}
