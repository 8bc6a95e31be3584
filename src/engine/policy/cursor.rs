//! Where a reader stands in a document, and where its problems are collected.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use super::text::suggest::nearest;
use super::{Code, Diagnostic, Value};

/// The path of a place in the document; lives on the stack and becomes text only for a diagnostic.
#[derive(Clone, Copy)]
enum Path<'p> {
    Root,
    Field(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Field(Path::Root, name) => f.write_str(name),
            Path::Field(parent, name) => write!(f, "{parent}.{name}"),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// How a scalar is written whose value is at a path: `1.10`, `007`, `yes`. `None` where that is not known, or
/// where the value is the text.
pub type Written<'w> = &'w dyn Fn(&str) -> Option<String>;

/// Collects the problems of one document.
pub(super) struct Sink<'w> {
    list: Cell<Vec<Diagnostic>>,
    written: Option<Written<'w>>,
}

impl<'w> Sink<'w> {
    /// No problems yet.
    pub(super) const fn new(written: Option<Written<'w>>) -> Self {
        Self { list: Cell::new(Vec::new()), written }
    }

    /// Says what to do about the problem that was reported last.
    pub(super) fn help(&self, help: impl Into<Cow<'static, str>>) {
        self.set_help(help.into());
    }

    /// Apart from [`Self::help`], so that its many callers do not each copy a text.
    #[inline(never)]
    fn set_help(&self, help: Cow<'static, str>) {
        let mut list = self.list.take();
        if let Some(last) = list.last_mut() {
            last.set_help(help);
        }
        self.list.set(list);
    }

    /// All problems, in the order in which they were reported.
    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.list.into_inner()
    }
}

/// A place in the document: what is written there, its path, and who is told of problems.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'v, 'p> {
    pub(super) value: &'v Value,
    path: Path<'p>,
    sink: &'p Sink<'p>,
}

/// Its path.
impl fmt::Display for Cursor<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}

impl<'v, 'p> Cursor<'v, 'p> {
    /// The whole document.
    pub(super) const fn root(value: &'v Value, sink: &'p Sink<'p>) -> Self {
        Self { value, path: Path::Root, sink }
    }

    /// A field; `null` where it is not written.
    pub(super) fn field<'c>(&'c self, name: &'c str) -> Cursor<'v, 'c> {
        self.at_field(name, self.value.field(name).unwrap_or(&Value::Null))
    }

    /// A field of which the value is at hand.
    pub(super) const fn at_field<'c>(&'c self, name: &'c str, value: &'v Value) -> Cursor<'v, 'c> {
        Cursor { value, path: Path::Field(&self.path, name), sink: self.sink }
    }

    /// An entry of a list; `null` where it is not written.
    pub(super) fn index(&self, index: usize) -> Cursor<'v, '_> {
        let value = self.value.items().get(index).unwrap_or(&Value::Null);
        Cursor { value, path: Path::Index(&self.path, index), sink: self.sink }
    }

    /// Reports a problem: the one way to do it, so that a code has one severity.
    pub(super) fn report(&self, code: Code, message: impl Into<Cow<'static, str>>) -> &'p Sink<'p> {
        self.push(code, message.into())
    }

    /// Not generic and not inlined: it is called from hundreds of places.
    #[inline(never)]
    fn push(&self, code: Code, message: Cow<'static, str>) -> &'p Sink<'p> {
        let mut list = self.sink.list.take();
        list.push(Diagnostic::new(code, self.path.to_string(), message));
        self.sink.list.set(list);
        self.sink
    }

    /// Reports a problem that leaves nothing to go on with, and what to do about it.
    pub(super) fn refuse<T>(
        &self,
        code: Code,
        message: impl Into<Cow<'static, str>>,
        help: impl Into<Cow<'static, str>>,
    ) -> Option<T> {
        self.report(code, message).help(help);
        None
    }

    /// Refuses a value of another type.
    pub(super) fn expected<T>(&self, wanted: &str) -> Option<T> {
        self.wrong_type(wanted);
        None
    }

    /// How the scalar here is written, where that is known.
    pub(super) fn written(&self) -> Option<String> {
        self.sink.written?(&self.path.to_string())
    }

    /// The scalar here, for a message: as it is written, or else its value.
    pub(super) fn shown(&self) -> String {
        self.written().unwrap_or_else(|| self.value.to_string())
    }

    /// Reports a value of another type.
    pub(super) fn wrong_type(&self, wanted: &str) -> &'p Sink<'p> {
        let value = self.value;
        let found = match value {
            Value::List(_) | Value::Object(_) | Value::Null => value.kind().to_owned(),
            _ => format!("{} `{}`", value.kind(), self.shown()),
        };
        self.report(Code::WrongType, format!("expected {wanted}, found {found}"))
    }

    /// Reports that there are too many of something; `None` then.
    pub(super) fn at_most(
        &self,
        limit: usize,
        count: usize,
        what: &str,
        help: Option<&'static str>,
    ) -> Option<()> {
        if count <= limit {
            return Some(());
        }
        let message = format!("{count} {what} are more than {limit}");
        let sink = self.report(Code::LimitExceeded, message);
        if let Some(help) = help {
            sink.help(help);
        }
        None
    }

    /// Reports that `word` is none of the known ones.
    pub(super) fn unknown(&self, code: Code, what: &str, word: &str, known: &[&str]) {
        let sink = self.report(code, format!("unknown {what} `{word}`"));
        sink.help(match nearest(word, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", list_of(known)),
        });
    }
}

/// `` `a`, `b` ``.
pub(super) fn list_of(words: &[&str]) -> String {
    words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ")
}
