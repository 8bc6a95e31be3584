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
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let (count, rest) = split_number(&self.0).unwrap_or((0, &[]));
        let table = count.saturating_mul(8).min(rest.len());
        let (mut sizes, mut data) = rest.split_at_checked(table).unwrap_or((&[], &[]));
        std::iter::from_fn(move || {
            let (name_size, more) = split_number(sizes)?;
            let (value_size, more) = split_number(more)?;
            sizes = more;
            let (name, more) = split_text(data, name_size)?;
            let (value, more) = split_text(more, value_size)?;
            data = more;
            Some((name, value))
        })
    }
}

fn split_number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((usize::try_from(u32::from_le_bytes(*number)).ok()?, rest))
}

fn split_text(bytes: &[u8], size: usize) -> Option<(&[u8], &[u8])> {
    let (text, rest) = bytes.split_at_checked(size)?;
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
