//! Cohorts: long lists of values (users, accounts, tenants) that one look-up searches.

use std::fmt;
use std::sync::Arc;

use super::text::same;
use crate::fast_hash::fast_hash;

/// A set of values, in the order written, made for hundreds of thousands of them: the values lie packed in one
/// block, a hash table of four bytes a slot points into it, a look-up allocates nothing and touches two places.
/// The table is built of the operator's values alone, so nothing a client sends makes a look-up longer. Cloning
/// shares everything.
#[derive(Clone, PartialEq, Eq)]
pub struct Cohort(Arc<Table>);

#[derive(Eq)]
struct Table {
    /// For each value its length in two bytes, then the value.
    packed: Box<[u8]>,
    /// A power of two, at least twice the number of values. 0 is a free slot; else its lower bits are the value's
    /// place in `packed`, plus one, and the upper ones are those of the value's hash.
    slots: Box<[u32]>,
    /// The bits of a slot that are a place: as many as `packed` needs.
    places: u32,
    count: usize,
    ignore_case: bool,
}

/// Why values make no cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CohortError {
    /// There are more than [`Cohort::VALUES_MAX`] of them.
    TooMany,
    /// This one is longer than [`Cohort::VALUE_MAX`].
    TooLong(usize),
}

impl Cohort {
    /// Most values of one cohort.
    pub const VALUES_MAX: usize = 200_000;
    /// Most bytes of one value.
    pub const VALUE_MAX: usize = 4096;

    /// Builds a cohort and counts the values that were there already and are left out; `ignore_case` takes ASCII
    /// letters for equal in both cases.
    ///
    /// # Errors
    /// Says which limit the values exceed.
    pub fn new<V: AsRef<str>>(
        values: &[V],
        ignore_case: bool,
    ) -> Result<(Self, usize), CohortError> {
        if values.len() > Self::VALUES_MAX {
            return Err(CohortError::TooMany);
        }
        let size = values.len().saturating_mul(2).next_power_of_two().max(2);
        let bytes = values.iter().fold(0_usize, |sum, v| {
            sum.saturating_add(v.as_ref().len()).saturating_add(size_of::<u16>())
        });
        let places = u32::try_from(bytes).ok().and_then(|n| n.checked_next_power_of_two());
        // With both limits kept, a place takes 30 bits.
        let places = places.ok_or(CohortError::TooMany)?.saturating_mul(2).saturating_sub(1);
        let mut table = Table {
            packed: Box::default(),
            slots: vec![0; size].into(),
            places,
            count: 0,
            ignore_case,
        };
        let mut packed = Vec::with_capacity(bytes);
        for (index, value) in values.iter().enumerate() {
            let value = value.as_ref().as_bytes();
            let length = u16::try_from(value.len()).ok().filter(|_| value.len() <= Self::VALUE_MAX);
            let length = length.ok_or(CohortError::TooLong(index))?;
            if let Probe::Free { at, tag } = table.probe(&packed, value)
                && let Some(slot) = table.slots.get_mut(at)
                && let Ok(place) = u32::try_from(packed.len())
            {
                *slot = tag | place.saturating_add(1);
                table.count = table.count.saturating_add(1);
                packed.extend(length.to_le_bytes());
                packed.extend(value);
            }
        }
        let duplicates = values.len().saturating_sub(table.count);
        table.packed = packed.into();
        Ok((Self(Arc::new(table)), duplicates))
    }

    /// Whether a value is in the cohort.
    pub fn contains(&self, value: &[u8]) -> bool {
        matches!(self.0.probe(&self.0.packed, value), Probe::Found)
    }

    /// The values in the order written.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let mut rest = &*self.0.packed;
        std::iter::from_fn(move || {
            let value = value_at(rest, 0);
            rest = rest.get(size_of::<u16>()..)?.get(value.len()..)?;
            // Only text was put in.
            str::from_utf8(value).ok()
        })
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.0.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether ASCII letters are equal in both cases.
    pub fn ignores_case(&self) -> bool {
        self.0.ignore_case
    }

    /// Bytes of memory that the cohort takes.
    pub fn memory(&self) -> usize {
        self.0.packed.len().saturating_add(size_of_val(&*self.0.slots))
    }
}

impl PartialEq for Table {
    /// The slots follow from the rest (and from duplicates, which say nothing).
    fn eq(&self, other: &Self) -> bool {
        self.packed == other.packed && self.ignore_case == other.ignore_case
    }
}

impl fmt::Debug for Cohort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cohort({} values, ignore_case: {})", self.len(), self.ignores_case())
    }
}

enum Probe {
    Found,
    /// The slot at which the search ended, and the upper bits of what belongs there.
    Free {
        at: usize,
        tag: u32,
    },
}

impl Table {
    /// Searches for a value from the slot on that its hash names; there is always a free one that ends the search.
    fn probe(&self, packed: &[u8], value: &[u8]) -> Probe {
        let hash = fast_hash(value, self.ignore_case);
        let tag = (hash >> 32) as u32 & !self.places;
        let mask = self.slots.len().saturating_sub(1);
        let mut at = hash as u32 as usize & mask;
        loop {
            let slot = self.slots.get(at).copied().unwrap_or(0);
            if slot == 0 {
                return Probe::Free { at, tag };
            }
            let place = (slot & self.places).saturating_sub(1);
            if slot & !self.places == tag && same(value_at(packed, place), value, self.ignore_case)
            {
                return Probe::Found;
            }
            at = at.wrapping_add(1) & mask;
        }
    }
}

/// The value at a place of the packed values.
fn value_at(packed: &[u8], place: u32) -> &[u8] {
    let split = packed.get(place as usize..).and_then(<[u8]>::split_first_chunk);
    let value =
        split.and_then(|(length, rest)| rest.get(..usize::from(u16::from_le_bytes(*length))));
    value.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cohort(values: &[&str], ignore_case: bool) -> Cohort {
        Cohort::new(values, ignore_case).unwrap().0
    }

    /// Ids as UUIDs are written.
    fn ids(count: usize) -> Vec<String> {
        let id = |n: u64| {
            let (a, b) = (crate::hash::fmix64(n), crate::hash::fmix64(!n));
            let hex = format!("{a:016x}{b:016x}");
            [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
        };
        (0..count as u64).map(id).collect()
    }

    #[test]
    fn a_cohort_holds_its_values_and_no_other() {
        let cohort = cohort(&["u1", "", "a value of more than eight bytes", "ü"], false);
        for value in ["u1", "", "a value of more than eight bytes", "ü"] {
            assert!(cohort.contains(value.as_bytes()), "{value}");
        }
        for value in ["u2", "U1", "u", "u1\0", "\0", "a value of more than eight byte", "\0\0"] {
            assert!(!cohort.contains(value.as_bytes()), "{value}");
        }
        assert!(!cohort.contains(b"\xff") && !cohort.contains(&[b'x'; 100_000]));
    }

    #[test]
    fn ascii_case_may_be_ignored() {
        let cohort = cohort(&["Ann@Example.com", "Ä"], true);
        assert!(cohort.contains(b"aNN@eXAMPLE.COM") && cohort.contains("Ä".as_bytes()));
        assert!(!cohort.contains("ä".as_bytes()) && !cohort.contains(b"ann`example.com"));
    }

    #[test]
    fn values_keep_their_order_and_duplicates_are_counted() {
        let (cohort, duplicates) = Cohort::new(&["b", "a", "b", "B", "c", "a"], false).unwrap();
        assert_eq!((cohort.iter().collect::<Vec<_>>(), duplicates), (vec!["b", "a", "B", "c"], 2));
        let (cohort, duplicates) = Cohort::new(&["b", "a", "b", "B"], true).unwrap();
        assert_eq!((cohort.iter().collect::<Vec<_>>(), duplicates), (vec!["b", "a"], 2));
        assert_eq!(cohort.len(), 2);
    }

    #[test]
    fn a_hundred_thousand_ids_are_all_found_in_less_than_eight_megabytes() {
        let values = ids(100_000);
        for ignore_case in [false, true] {
            let (cohort, duplicates) = Cohort::new(&values, ignore_case).unwrap();
            assert_eq!((cohort.len(), duplicates), (100_000, 0));
            assert!(values.iter().all(|v| cohort.contains(v.as_bytes())));
            assert!(ids(101_000)[100_000..].iter().all(|v| !cohort.contains(v.as_bytes())));
            assert!(
                values.iter().all(|v| cohort.contains(v.to_uppercase().as_bytes()) == ignore_case)
            );
            assert!(cohort.memory() < 8_000_000, "{}", cohort.memory());
        }
    }

    #[test]
    fn searches_stay_short_for_ids_that_differ_little() {
        let longest = |values: &[String]| {
            let (cohort, _) = Cohort::new(values, false).unwrap();
            let slots = &cohort.0.slots;
            slots.split(|slot| *slot == 0).map(<[u32]>::len).max().unwrap()
        };
        let numbers: Vec<_> = (0..100_000).map(|n| format!("user-{n}")).collect();
        let shifted: Vec<_> = (0..100_000).map(|n| format!("{:032}", n * 256)).collect();
        let bits: Vec<_> = (0..100_000_u32)
            .map(|n| (0..17).map(|bit| if n >> bit & 1 == 1 { 'b' } else { 'a' }).collect())
            .collect();
        for values in [ids(100_000), numbers, shifted, bits] {
            assert!(longest(&values) < 60, "{}: {}", values[0], longest(&values));
        }
    }

    #[test]
    fn limits_are_kept() {
        let too_many = vec!["a"; Cohort::VALUES_MAX + 1];
        assert_eq!(Cohort::new(&too_many, false), Err(CohortError::TooMany));
        let longest = "x".repeat(Cohort::VALUE_MAX);
        assert!(cohort(&[&longest], false).contains(longest.as_bytes()));
        let longer = format!("{longest}x");
        assert_eq!(Cohort::new(&["a", &longer], false), Err(CohortError::TooLong(1)));
    }

    #[test]
    fn no_values_are_a_cohort_of_nobody() {
        let nobody = cohort(&[], false);
        assert!(nobody.is_empty() && nobody.iter().next().is_none());
        assert!(!nobody.contains(b"") && !nobody.contains(b"a"));
    }

    #[test]
    fn cohorts_are_equal_when_they_list_the_same() {
        assert_eq!(cohort(&["a", "b"], false), cohort(&["a", "b", "a"], false));
        assert_ne!(cohort(&["a", "b"], false), cohort(&["b", "a"], false));
        assert_ne!(cohort(&["a"], false), cohort(&["a"], true));
    }
}
