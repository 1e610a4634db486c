//! Owns the shape of a document that many runs, or a graph, write: headings, lists, tables, pictures. It is written as
//! Markdown and as one page for a browser from the same parts, so that both say the same. Refuses to know what is said,
//! and lets no text from outside become markup.
//!
//! - [`markdown`], [`html`]: the two forms

mod html;
mod markdown;

/// A document.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// Its title.
    pub title: String,
    /// Its parts, in order.
    pub blocks: Vec<Block>,
}

/// One part of a document.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// A heading of level 2 or 3.
    Heading(u8, Text),
    /// A paragraph.
    Paragraph(Text),
    /// A list.
    List(Vec<Text>),
    /// A table.
    Table {
        /// Heads of its columns.
        head: Vec<&'static str>,
        /// Rows, each with a cell for every column.
        rows: Vec<Vec<Text>>,
    },
    /// A picture.
    Picture {
        /// As lines of text, for Markdown.
        text: String,
        /// As SVG, for a browser. Made by us: text from outside in it is escaped by whoever draws.
        svg: String,
    },
    /// A diagram in the language of Mermaid. In a page for a browser it is a list of its edges, because that page loads
    /// nothing.
    Diagram(Diagram),
}

/// Boxes and arrows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diagram {
    /// Words in the boxes.
    pub boxes: Vec<String>,
    /// From, to, how: `hard`, `soft`, `need`.
    pub arrows: Vec<(usize, usize, Arrow)>,
    /// The box that the page is about.
    pub own: Option<usize>,
}

/// Kinds of arrows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Arrow {
    /// Without it a request fails.
    Hard,
    /// Without it an answer is degraded.
    Soft,
    /// Without it the caller does not start.
    Need,
}

/// A piece of running text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text(Vec<Span>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Span {
    Plain(String),
    Code(String),
    Strong(String),
    /// Words, and a path beside the document or within it.
    Link(String, String),
    /// A state with its colour: class, words.
    Mark(&'static str, String),
}

impl Text {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Words.
    #[must_use]
    pub fn plain(mut self, text: impl Into<String>) -> Self {
        self.0.push(Span::Plain(text.into()));
        self
    }

    /// A name or a command.
    #[must_use]
    pub fn code(mut self, text: impl Into<String>) -> Self {
        self.0.push(Span::Code(text.into()));
        self
    }

    /// Words that stand out.
    #[must_use]
    pub fn strong(mut self, text: impl Into<String>) -> Self {
        self.0.push(Span::Strong(text.into()));
        self
    }

    /// Words that lead to another page beside this one.
    #[must_use]
    pub fn link(mut self, text: impl Into<String>, path: impl Into<String>) -> Self {
        self.0.push(Span::Link(text.into(), path.into()));
        self
    }

    /// A state: `held`, `violated`, `stale`, `never`, `inconclusive` is its colour, the words its meaning.
    #[must_use]
    pub fn mark(mut self, state: &'static str, text: impl Into<String>) -> Self {
        self.0.push(Span::Mark(state, text.into()));
        self
    }

    /// Words in which names stand between back-ticks, as findings are told.
    pub fn told(text: &str) -> Self {
        let parts: Vec<&str> = text.split('`').collect();
        if parts.len().is_multiple_of(2) {
            return text.into();
        }
        let add = |out: Self, (at, part): (usize, &&str)| if at % 2 == 1 { out.code(*part) } else { out.plain(*part) };
        parts.iter().enumerate().fold(Self::new(), add)
    }

    /// One text behind another.
    #[must_use]
    pub fn append(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Several names, with commas.
    #[must_use]
    pub fn codes(mut self, names: impl IntoIterator<Item = impl ToString>) -> Self {
        for (position, name) in names.into_iter().enumerate() {
            if position > 0 {
                self = self.plain(", ");
            }
            self = self.code(name.to_string());
        }
        self
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::new().plain(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::new().plain(text)
    }
}

impl Page {
    /// An empty page.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), blocks: Vec::new() }
    }

    /// A heading of the second level.
    pub fn heading(&mut self, text: impl Into<Text>) {
        self.blocks.push(Block::Heading(2, text.into()));
    }

    /// A heading of the third level.
    pub fn subheading(&mut self, text: impl Into<Text>) {
        self.blocks.push(Block::Heading(3, text.into()));
    }

    /// A paragraph.
    pub fn say(&mut self, text: impl Into<Text>) {
        self.blocks.push(Block::Paragraph(text.into()));
    }

    /// A list; without items, the sentence instead.
    pub fn list(&mut self, items: Vec<Text>, without: &str) {
        if items.is_empty() {
            self.say(without);
        } else {
            self.blocks.push(Block::List(items));
        }
    }

    /// A table; without rows, the sentence instead.
    pub fn table(&mut self, head: &[&'static str], rows: Vec<Vec<Text>>, without: &str) {
        if rows.is_empty() {
            self.say(without);
        } else {
            self.blocks.push(Block::Table { head: head.to_vec(), rows });
        }
    }

    /// A picture.
    pub fn picture(&mut self, text: String, svg: String) {
        self.blocks.push(Block::Picture { text, svg });
    }

    /// Boxes and arrows.
    pub fn diagram(&mut self, diagram: Diagram) {
        self.blocks.push(Block::Diagram(diagram));
    }

    /// The page as Markdown.
    pub fn markdown(&self) -> String {
        markdown::write(self)
    }

    /// The page as one file for a browser, which loads nothing.
    pub fn html(&self) -> String {
        html::write(self)
    }
}
