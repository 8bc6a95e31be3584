//! Rules over the names and salts of all splits.

use crate::policy::name_map::NameMap;
use crate::policy::sink::{Path, Sink};
use crate::policy::value::name_of;
use crate::policy::{Code, Split, Value};

/// What the splits before a split have taken.
pub(crate) struct SplitNames<'v> {
    /// All splits, as written.
    items: &'v [Value],
    index: usize,
    names: NameMap<'v>,
    salts: NameMap<'v>,
}

impl<'v> SplitNames<'v> {
    /// Begins with the first of the splits.
    pub(crate) fn new(items: &'v [Value]) -> Self {
        Self { items, index: 0, names: NameMap::default(), salts: NameMap::default() }
    }

    /// Passes over a split that could not be read.
    pub(crate) fn skip(&mut self) {
        self.index = self.index.saturating_add(1);
    }

    /// Checks the next split against those before it.
    pub(crate) fn check(&mut self, split: &Split, path: &Path, sink: &mut Sink) {
        let Some(item) = self.items.get(self.index) else { return };
        let name = name_of(item);
        let salt = match item.field("salt") {
            Some(Value::String(salt)) => salt,
            _ => name,
        };
        if let Some(first) = self.names.insert(name, self.index) {
            sink.report(
                Code::DuplicateName,
                &Path::Field(path, "name"),
                format!("split `{}` is there already, as `splits[{first}]`", split.name),
            );
        } else if let Some(other) = self.salts.insert(salt, self.index) {
            let other = self.items.get(other).map_or("", name_of);
            sink.report(
                Code::SharedSalt,
                path,
                format!("splits `{other}` and `{}` have one salt, `{}`", split.name, split.salt),
            )
            .help("the same users go first in both; give each split a salt of its own unless you want that");
        }
        self.skip();
    }
}
