//! The header edits of the variants served: for each header the first split in the list decides.

use std::ops::Deref;

use smallvec::SmallVec;

use super::{HeaderEdit, bytes_of};
use crate::policy::HeaderEdits;

/// Edits in order. Those of most requests and responses stand in place: cluster, variant, and two more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edits<'p>(SmallVec<[HeaderEdit<'p>; 4]>);

impl<'p> Edits<'p> {
    /// One more, after all others.
    // Called from many places.
    #[inline(never)]
    pub(super) fn push(&mut self, edit: HeaderEdit<'p>) {
        self.0.push(edit);
    }
}

impl<'p> Deref for Edits<'p> {
    type Target = [HeaderEdit<'p>];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// How far a header is edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// It has more lines; so may those after it want.
    Added,
    /// It has a value, or is not there: nobody after it may change that.
    Decided,
}

/// The headers that earlier splits have edited, sorted by name.
#[derive(Debug, Default)]
struct Edited<'p>(SmallVec<[(&'p str, Extent); 8]>);

impl<'p> Edited<'p> {
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(edited, _)| (*edited).cmp(name))
    }

    fn extent(&self, name: &str) -> Option<Extent> {
        let place = self.place(name).ok()?;
        self.0.get(place).map(|(_, extent)| *extent)
    }

    fn note(&mut self, name: &'p str, extent: Extent) {
        match self.place(name) {
            Err(place) => self.0.insert(place, (name, extent)),
            Ok(place) => {
                if let (Extent::Decided, Some(noted)) = (extent, self.0.get_mut(place)) {
                    noted.1 = extent;
                }
            }
        }
    }
}

/// All edits of the variants served, in the order of their splits. What an earlier split has set or removed nobody
/// after it edits, and what it has added to nobody sets or removes. Within a variant: remove, set, and where it is
/// said so add.
pub(super) fn push_edits<'p>(
    headers: &mut Edits<'p>,
    variants: impl Iterator<Item = (&'p HeaderEdits, bool)>,
) {
    let mut edited = Edited::default();
    let mut variants = variants.peekable();
    while let Some((edits, add)) = variants.next() {
        let decides = |name: &str| edited.extent(name).is_none();
        let adds = |name: &str| edited.extent(name) != Some(Extent::Decided);
        let removed = edits.remove.iter().filter(|name| decides(name));
        removed.for_each(|name| headers.push(HeaderEdit::Remove { name }));
        let set = edits.set.iter().filter(|(name, _)| decides(name));
        set.for_each(|(name, value)| {
            headers.push(HeaderEdit::Set { name, value: bytes_of(value) })
        });
        let added = edits.add.iter().filter(|(name, _)| add && adds(name));
        added.for_each(|(name, value)| {
            headers.push(HeaderEdit::Add { name, value: bytes_of(value) })
        });
        // Most requests have one split, and nobody asks what the last one did.
        if variants.peek().is_some() {
            let set = edits.set.iter().map(|(name, _)| name);
            set.chain(&edits.remove).for_each(|name| edited.note(name, Extent::Decided));
            edits.add.iter().for_each(|(name, _)| edited.note(name, Extent::Added));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Edits as `name=value`, `name+value` and `-name`, separated by spaces.
    fn read(text: &str) -> HeaderEdits {
        let mut edits = HeaderEdits::default();
        let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        for word in text.split_whitespace() {
            if let Some(name) = word.strip_prefix('-') {
                edits.remove.push(name.to_owned());
            } else if let Some(set) = word.split_once('=') {
                edits.set.push(pair(set));
            } else if let Some(add) = word.split_once('+') {
                edits.add.push(pair(add));
            }
        }
        edits
    }

    fn written(edit: &HeaderEdit) -> String {
        let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
        match edit {
            HeaderEdit::Set { name, value } => format!("{name}={}", text(value)),
            HeaderEdit::Add { name, value } => format!("{name}+{}", text(value)),
            HeaderEdit::Remove { name } => format!("-{name}"),
        }
    }

    #[test]
    fn the_first_split_that_edits_a_header_decides_it() {
        for (variants, wanted) in [
            (&["a=1"][..], "a=1"),
            (&["a=1", "a=2"], "a=1"),
            (&["a=1", "b=2", "a=3 b=4 c=5"], "a=1 b=2 c=5"),
            (&["-a", "a=2"], "-a"),
            (&["a=1", "-a"], "a=1"),
            (&["a+1", "a+2", "a+3"], "a+1 a+2 a+3"),
            (&["a+1", "a=2", "-a"], "a+1"),
            (&["a=1", "a+2"], "a=1"),
            (&["-a", "a+2"], "-a"),
            (&["a+1", "-b", "a+2 b+2"], "a+1 -b a+2"),
            // Within a variant each has its say.
            (&["-a a=1 a+2", "a+3"], "-a a=1 a+2"),
            (&["c=1 a=1 b=1", "a=2", "b=2", "c=2 d=2"], "c=1 a=1 b=1 d=2"),
        ] {
            let variants: Vec<HeaderEdits> = variants.iter().map(|text| read(text)).collect();
            let mut headers = Edits::default();
            push_edits(&mut headers, variants.iter().map(|edits| (edits, true)));
            let found: Vec<String> = headers.iter().map(written).collect();
            assert_eq!(found.join(" "), wanted);
        }
    }
}
