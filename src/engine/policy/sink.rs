//! Where the problems of a document are collected, each with its place.

use std::borrow::Cow;
use std::fmt;

use super::diagnostic::in_one_line;
use super::text::suggest::nearest;
use super::{Code, Diagnostic, Value};

/// A place in the document; lives on the stack and becomes text only for a diagnostic.
#[derive(Clone, Copy)]
pub(super) enum Path<'p> {
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

/// Collects the problems of one document.
#[derive(Default)]
pub(super) struct Sink {
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl Sink {
    /// Reports a problem: the one way to do it, so that a code has one severity.
    pub(super) fn report(
        &mut self,
        code: Code,
        path: &Path,
        message: impl Into<Cow<'static, str>>,
    ) -> &mut Diagnostic {
        self.push(code, path, message.into())
    }

    /// Not generic and not inlined: it is called from hundreds of places.
    #[inline(never)]
    fn push(&mut self, code: Code, path: &Path, message: Cow<'static, str>) -> &mut Diagnostic {
        self.diagnostics.push(Diagnostic {
            code,
            severity: code.severity(),
            path: in_one_line(path.to_string().into()),
            message: in_one_line(message),
            help: None,
        });
        #[expect(clippy::expect_used, reason = "the line above pushes one")]
        self.diagnostics.last_mut().expect("just pushed")
    }

    /// Says that there are too many of something; `None` where there are not.
    pub(super) fn over(
        &mut self,
        limit: usize,
        count: usize,
        what: &str,
        path: &Path,
    ) -> Option<&mut Diagnostic> {
        let message = || format!("{count} {what} are more than {limit}");
        (count > limit).then(|| self.report(Code::LimitExceeded, path, message()))
    }

    pub(super) fn wrong_type(
        &mut self,
        path: &Path,
        wanted: &str,
        value: &Value,
    ) -> &mut Diagnostic {
        let found = match value {
            Value::List(_) | Value::Object(_) | Value::Null => value.kind().to_owned(),
            _ => format!("{} `{value}`", value.kind()),
        };
        self.report(Code::WrongType, path, format!("expected {wanted}, found {found}"))
    }

    /// Says that `word` is none of the known ones.
    pub(super) fn unknown(
        &mut self,
        code: Code,
        path: &Path,
        what: &str,
        word: &str,
        known: &[&str],
    ) {
        let diagnostic = self.report(code, path, format!("unknown {what} `{word}`"));
        diagnostic.help(match nearest(word, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", list_of(known)),
        });
    }
}

/// `` `a`, `b` ``.
pub(super) fn list_of(words: &[&str]) -> String {
    words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ")
}
