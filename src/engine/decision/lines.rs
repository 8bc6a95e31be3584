//! The headers of a request that a plan asks for, found in one walk.

use std::borrow::Cow;

use smallvec::{SmallVec, smallvec};

use crate::host::Host;
use crate::ids::{HeaderSlot, Id as _};
use crate::plan::Questions;

/// The lines of the headers that a plan asks for.
#[derive(Debug)]
pub struct Lines<'r> {
    /// For each slot the number of its first line, from 1; 0 = none.
    first: SmallVec<[u16; 24]>,
    /// In the order received.
    lines: SmallVec<[(HeaderSlot, &'r [u8]); 8]>,
}

impl<'r> Lines<'r> {
    /// Walks over the headers of a request.
    #[inline]
    pub fn find<H: Host + ?Sized>(questions: &Questions, host: &'r H) -> Self {
        let first = smallvec![0; questions.headers.len()];
        let mut found = Self { first, lines: SmallVec::new() };
        for (name, value) in host.headers() {
            if let Some(slot) = questions.headers.slot(name) {
                found.add(slot, value);
            }
        }
        found
    }

    fn add(&mut self, slot: HeaderSlot, value: &'r [u8]) {
        self.lines.push((slot, value));
        let number = self.lines.len();
        if let Some(first) = self.first.get_mut(slot.place())
            && *first == 0
        {
            // A line beyond all numbers is not found, which is far more than any proxy lets pass.
            *first = u16::try_from(number).unwrap_or_default();
        }
    }

    /// The values of a header in the order received, one for each line it was sent on.
    #[inline]
    pub fn all(&self, slot: HeaderSlot) -> impl Iterator<Item = &'r [u8]> + Clone {
        let first = self.first.get(slot.place()).copied().unwrap_or_default();
        let from = usize::from(first).checked_sub(1);
        let lines = from.and_then(|from| self.lines.get(from..)).unwrap_or_default();
        lines.iter().filter(move |(of, _)| *of == slot).map(|(_, value)| *value)
    }

    /// The first line of a header; empty where there is none.
    #[inline]
    pub fn first(&self, slot: HeaderSlot) -> &'r [u8] {
        self.line(slot).map_or(&[], |(_, value)| value)
    }

    /// Whether the request has the header.
    #[inline]
    pub fn has(&self, slot: HeaderSlot) -> bool {
        self.line(slot).is_some()
    }

    #[inline]
    fn line(&self, slot: HeaderSlot) -> Option<&(HeaderSlot, &'r [u8])> {
        let first = self.first.get(slot.place()).copied().unwrap_or_default();
        self.lines.get(usize::from(first).checked_sub(1)?)
    }

    /// A header's value; several lines count as one value joined by `,`, as in Envoy's own
    /// matchers. Allocates only for several lines.
    pub fn joined(&self, slot: HeaderSlot) -> Option<Cow<'r, [u8]>> {
        let mut lines = self.all(slot);
        let mut value = Cow::Borrowed(lines.next()?);
        for line in lines {
            let all = value.to_mut();
            all.push(b',');
            all.extend_from_slice(line);
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;
    use crate::policy;

    #[test]
    fn every_line_of_a_header_is_found_in_order() {
        let text = r#"{"version": 1, "splits": [{"name": "s", "key": [{"header": "u"}, {"header": "v"}],
            "baseline": "b", "variants": [{"name": "b", "weight": 100}]}]}"#;
        let plan = Plan::new(policy::from_json(text.as_bytes()).policy.unwrap());
        let slot = |name: &str| plan.questions.headers.slot(name.as_bytes()).unwrap();
        let mut request: Vec<_> = (0..40).map(|n| (format!("x-{n}"), "other")).collect();
        request.extend([("u".into(), "1"), (":path".into(), "/"), ("u".into(), "2")]);
        let lines = Lines::find(&plan.questions, request.as_slice());
        assert_eq!(lines.all(slot("u")).collect::<Vec<_>>(), [b"1", b"2"]);
        assert_eq!(lines.joined(slot("u")).as_deref(), Some(b"1,2".as_slice()));
        assert!(matches!(lines.joined(slot(":path")), Some(Cow::Borrowed(b"/"))));
        assert_eq!((lines.joined(slot("v")), lines.first(slot("v"))), (None, &[][..]));
        assert!(lines.has(slot("u")) && !lines.has(slot("v")));
    }
}
