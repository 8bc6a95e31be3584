//! Rules over the names and salts of all splits.

use crate::policy::cursor::Cursor;
use crate::policy::name_map::NameMap;
use crate::policy::{ADVISES, Code, Split, Value};

/// What the splits before a split have taken.
pub(crate) struct SplitNames<'v> {
    /// All splits, as written.
    items: &'v [Value],
    names: NameMap<'v>,
    salts: NameMap<'v>,
}

impl<'v> SplitNames<'v> {
    /// Begins before the first of the splits.
    pub(crate) fn new(items: &'v [Value]) -> Self {
        Self { items, names: NameMap::default(), salts: NameMap::default() }
    }

    /// Checks a split against those before it.
    pub(crate) fn check(&mut self, index: usize, split: &Split, at: &Cursor<'v, '_>) {
        let name = at.value.name();
        let salt = match at.value.field("salt") {
            Some(Value::String(salt)) => salt,
            _ => name,
        };
        if let Some(first) = self.names.insert(name, index) {
            let message = format!("split `{name}` is there already, as `splits[{first}]`");
            at.field("name").report(Code::DuplicateName, message);
        } else if let Some(other) = self.salts.insert(salt, index)
            && ADVISES
        {
            let other = self.items.get(other).map_or("", Value::name);
            let message =
                format!("splits `{other}` and `{}` have one salt, `{}`", split.name, split.salt);
            at.report(Code::SharedSalt, message).help(
                "the same users go first in both; give each split a salt of its own unless you want that",
            );
        }
    }
}
