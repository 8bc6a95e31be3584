//! Headers as the host hands them over, read in place: the number of pairs, the sizes of each name
//! and value (all u32, little-endian), then names and values, each ended by a NUL.

/// All headers of a request in one block of memory.
#[derive(Debug, Default)]
pub(crate) struct HeaderMap(Box<[u8]>);

impl HeaderMap {
    pub(crate) const fn new(block: Box<[u8]>) -> Self {
        Self(block)
    }

    /// Names and values in order. A block that is cut short ends the iteration early.
    pub(crate) fn pairs(&self) -> Pairs<'_> {
        let (count, rest) = self.0.split_first_chunk().unwrap_or((&[0; 4], &[]));
        let count = usize::try_from(u32::from_le_bytes(*count)).unwrap_or_default();
        let table = count.saturating_mul(8).min(rest.len());
        let (sizes, data) = rest.split_at_checked(table).unwrap_or((&[], &[]));
        Pairs { sizes: sizes.as_chunks().0.iter(), data }
    }
}

/// The pairs of a [`HeaderMap`].
pub(crate) struct Pairs<'h> {
    sizes: std::slice::Iter<'h, [u8; 8]>,
    data: &'h [u8],
}

impl<'h> Iterator for Pairs<'h> {
    type Item = (&'h [u8], &'h [u8]);

    // For each header of each request; an optimizer for size would make a call of it.
    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let sizes = u64::from_le_bytes(*self.sizes.next()?);
        let (name, rest) = split_text(self.data, sizes as u32)?;
        let (value, rest) = split_text(rest, (sizes >> 32) as u32)?;
        self.data = rest;
        Some((name, value))
    }
}

#[inline(always)]
fn split_text(bytes: &[u8], size: u32) -> Option<(&[u8], &[u8])> {
    let (text, rest) = bytes.split_at_checked(usize::try_from(size).ok()?)?;
    Some((text, rest.split_first()?.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(pairs: &[(&[u8], &[u8])]) -> Box<[u8]> {
        let number = |n: usize| u32::try_from(n).unwrap().to_le_bytes();
        let mut bytes = number(pairs.len()).to_vec();
        for (name, value) in pairs {
            bytes.extend(number(name.len()));
            bytes.extend(number(value.len()));
        }
        for (name, value) in pairs {
            bytes.extend([*name, b"\0", *value, b"\0"].concat());
        }
        bytes.into()
    }

    const PAIRS: [(&[u8], &[u8]); 4] =
        [(b":path", b"/"), (b"cookie", b"a=1"), (b"cookie", b"uid=\xff"), (b"\xff", b"")];

    #[test]
    fn every_line_of_every_header_comes_in_order() {
        let map = HeaderMap::new(block(&PAIRS));
        assert_eq!(map.pairs().collect::<Vec<_>>(), PAIRS);
    }

    #[test]
    fn a_block_that_is_cut_short_never_panics() {
        let whole = block(&PAIRS);
        for end in 0..whole.len() {
            let cut = HeaderMap::new(whole[..end].into());
            assert!(cut.pairs().count() <= PAIRS.len());
        }
        let mut lying = whole.to_vec();
        lying[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(HeaderMap::new(lying.into()).pairs().count() <= PAIRS.len());
        assert_eq!(HeaderMap::default().pairs().count(), 0);
    }
}
