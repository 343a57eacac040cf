//! Rows of numbers, with their names.

/// A table.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// What is in it, where a section has several. Empty if its section says it.
    pub heading: String,
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows, each with a cell for every column.
    pub rows: Vec<Row>,
    /// What to say if there are none, as a sentence.
    pub empty: &'static str,
}

/// A column of measures: its name, what stands in it, and its cell of a row.
pub type Measure<T> = (&'static str, &'static str, fn(&T) -> Cell);

/// A column.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What stands in it. Empty if the name says it.
    pub about: &'static str,
    /// What its cells are.
    kind: Kind,
    /// Whether a cell stands in the first row of a group only, for all of it.
    pub(crate) once: bool,
}

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// What a row is called.
    Head,
    /// Words.
    Text,
    /// Numbers, which stand below each other.
    Number,
}

/// A row.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// Whether a group begins with it.
    pub first: bool,
    /// What it was chosen for, if it was: `to ship`.
    pub chosen: &'static str,
    /// One for each column.
    pub cells: Vec<Cell>,
}

/// A cell.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    /// What it says.
    pub text: String,
    /// A sign behind it.
    pub mark: String,
    /// Whether it is only known to be more than this.
    pub bounded: bool,
    /// Whether it is to be seen at once.
    pub strong: bool,
    /// The section that it points to. Empty if to none.
    pub link: String,
}

impl Table {
    /// Leaves out its last columns.
    pub(crate) fn drop_last(&mut self, columns: usize) {
        let left = self.columns.len().saturating_sub(columns);
        self.columns.truncate(left);
        for row in &mut self.rows {
            row.cells.truncate(left);
        }
    }
}

impl Column {
    fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            about: "",
            kind,
            once: false,
        }
    }

    /// What rows are called.
    #[must_use]
    pub fn head(name: impl Into<String>) -> Self {
        Self::new(Kind::Head, name)
    }

    /// Words.
    #[must_use]
    pub fn text(name: impl Into<String>) -> Self {
        Self::new(Kind::Text, name)
    }

    /// Numbers.
    #[must_use]
    pub fn number(name: impl Into<String>) -> Self {
        Self::new(Kind::Number, name)
    }

    pub(crate) fn is_head(&self) -> bool {
        self.kind == Kind::Head
    }

    pub(crate) fn is_number(&self) -> bool {
        self.kind == Kind::Number
    }

    /// The same, with what stands in it.
    #[must_use]
    pub fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    /// The same, said once for a group of rows.
    #[must_use]
    pub fn once(self) -> Self {
        Self { once: true, ..self }
    }
}

impl Row {
    /// A row that begins a group.
    #[must_use]
    pub fn first(cells: Vec<Cell>) -> Self {
        Self {
            first: true,
            cells,
            ..Self::default()
        }
    }
}

impl Cell {
    /// What is only known to be more than this.
    #[must_use]
    pub fn more_than(text: &str) -> Self {
        Self {
            text: format!("> {text}"),
            bounded: true,
            ..Self::default()
        }
    }

    /// All that it says.
    pub(crate) fn all(&self) -> String {
        format!("{}{}", self.text, self.mark)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// What there is, or `-`.
pub(crate) fn maybe<T>(value: Option<T>, show: impl Fn(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), show)
}
