//! Owns the sweep as a picture: a panel for each policy and depth, a square for each load and length. Refuses to play.

use std::fmt::Write;

/// A panel.
pub(crate) struct Panel {
    /// Its heading.
    pub(crate) title: String,
    /// By load and then by length: what became of the region.
    pub(crate) cells: Vec<Vec<Cell>>,
    /// Load and length of the cell that is a built-in game day, with what an engine said of it.
    pub(crate) confirmed: Option<(usize, usize, &'static str)>,
}

/// What became of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell {
    /// Seeds that stayed down after the stall.
    pub(crate) down: usize,
    /// Seeds that were not well before it: nothing can be said.
    pub(crate) unwell: usize,
    /// All.
    pub(crate) seeds: usize,
}

impl Cell {
    /// `.` recovers, `M` stays down, `m` with some seeds, `b` was not well before it.
    pub(crate) fn mark(self) -> char {
        match self {
            Self { unwell, .. } if unwell > 0 => 'b',
            Self { down: 0, .. } => '.',
            Self { down, seeds, .. } if down == seeds => 'M',
            Self { .. } => 'm',
        }
    }

    fn colour(self) -> &'static str {
        match self.mark() {
            'b' => "#bbbbbb",
            '.' => "#2b7bba",
            'M' => "#c8442b",
            _ => "#e9a15b",
        }
    }
}

/// What a load is, over all lengths of the stall (Huang et al., OSDI 2022): *stable* recovers from each, *vulnerable* from
/// some, *metastable* from none.
pub(crate) fn class(cells: &[Cell]) -> &'static str {
    let down = cells.iter().filter(|cell| cell.down > 0).count();
    match down {
        _ if cells.iter().any(|cell| cell.unwell > 0) => "overloaded",
        0 => "stable",
        down if down == cells.len() => "metastable",
        _ => "vulnerable",
    }
}

const SQUARE: usize = 34;
const LEFT: usize = 56;
const TOP: usize = 96;
const GAP: usize = 100;
const COLUMNS: usize = 3;

/// The whole picture as SVG.
pub(crate) fn draw(panels: &[Panel], loads: &[u64], lengths: &[u64]) -> String {
    let (wide, high) = (lengths.len() * SQUARE + LEFT + 96, loads.len() * SQUARE + GAP);
    let (width, height) = (wide * COLUMNS, TOP + high * panels.len().div_ceil(COLUMNS) + 8);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>Where a stall of the store leaves the region down for good</title>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    let mut text = |x: usize, y: usize, size: usize, words: &str| {
        let _infallible =
            writeln!(out, "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" fill=\"#222222\">{words}</text>");
    };
    text(16, 26, 16, "Where a stall of the store leaves the region down for good");
    text(16, 46, 12, "Across: seconds of the stall. Up: requests a second of each zone; 40 are carried.");
    let mut x = 16;
    for (words, colour) in [
        ("comes back by itself", "#2b7bba"),
        ("stays down with some seeds", "#e9a15b"),
        ("stays down (metastable)", "#c8442b"),
        ("not well before the stall", "#bbbbbb"),
    ] {
        let _infallible = writeln!(
            out,
            "<rect x=\"{x}\" y=\"58\" width=\"14\" height=\"14\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"70\" fill=\"#222222\">{words}</text>",
            x + 20
        );
        x += 40 + words.len() * 7;
    }
    let _infallible = writeln!(
        out,
        "<circle cx=\"{}\" cy=\"65\" r=\"6\" fill=\"none\" stroke=\"#222222\" stroke-width=\"2\"/>\
         <text x=\"{}\" y=\"70\" fill=\"#222222\">seen so on an engine</text>",
        x + 7,
        x + 20
    );
    for (number, panel) in panels.iter().enumerate() {
        panel.draw(&mut out, (number % COLUMNS * wide + LEFT, TOP + number / COLUMNS * high + 24), loads, lengths);
    }
    out.push_str("</svg>\n");
    out
}

impl Panel {
    fn draw(&self, out: &mut String, (left, top): (usize, usize), loads: &[u64], lengths: &[u64]) {
        let mut line = |text: String| {
            out.push_str(&text);
            out.push('\n');
        };
        line(format!(
            "<text x=\"{left}\" y=\"{}\" font-weight=\"bold\" fill=\"#222222\">{}</text>",
            top - 10,
            self.title
        ));
        for (row, cells) in self.cells.iter().enumerate() {
            // The greatest load is on top.
            let y = top + (loads.len() - 1 - row) * SQUARE;
            let middle = y + SQUARE / 2 + 4;
            line(format!(
                "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\" fill=\"#222222\">{}</text>",
                left - 8,
                loads[row]
            ));
            for (column, cell) in cells.iter().enumerate() {
                let (x, side) = (left + column * SQUARE, SQUARE - 2);
                line(format!(
                    "<rect x=\"{x}\" y=\"{y}\" width=\"{side}\" height=\"{side}\" fill=\"{}\"><title>{} a second, {} s: {} of {} \
                     stayed down</title></rect>",
                    cell.colour(),
                    loads[row],
                    lengths[column],
                    cell.down,
                    cell.seeds
                ));
            }
            let x = left + lengths.len() * SQUARE + 6;
            line(format!("<text x=\"{x}\" y=\"{middle}\" fill=\"#555555\">{}</text>", class(cells)));
        }
        for (column, length) in lengths.iter().enumerate() {
            let (x, y) = (left + column * SQUARE + SQUARE / 2, top + loads.len() * SQUARE + 14);
            line(format!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\" fill=\"#222222\">{length} s</text>"));
        }
        if let Some((row, column, said)) = self.confirmed {
            let x = left + column * SQUARE + SQUARE / 2 - 1;
            let y = top + (loads.len() - 1 - row) * SQUARE + SQUARE / 2 - 1;
            line(format!(
                "<circle cx=\"{x}\" cy=\"{y}\" r=\"8\" fill=\"none\" stroke=\"#222222\" stroke-width=\"2\"><title>{said}</title></circle>"
            ));
        }
    }
}
