//! Protobuf's wire format, as far as messages that Envoy hands over use it. Nothing is copied, and bytes
//! that are no message end the reading.

/// The types of the wire format that `google.protobuf.Struct` and its like use.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;

/// One field of a message.
pub(crate) struct Field<'b> {
    pub(crate) number: u64,
    pub(crate) content: Content<'b>,
}

/// What a field holds.
pub(crate) enum Content<'b> {
    Number(u64),
    Double(f64),
    Bytes(&'b [u8]),
}

/// The fields of a message, in order; ends with a `None` item where the bytes are no message.
pub(crate) struct Fields<'b>(pub(crate) &'b [u8]);

impl<'b> Iterator for Fields<'b> {
    type Item = Option<Field<'b>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = split_field(self.0);
        self.0 = field.as_ref().map_or(&[], |(_, rest)| rest);
        Some(field.map(|(field, _)| field))
    }
}

fn split_field(bytes: &[u8]) -> Option<(Field<'_>, &[u8])> {
    let (tag, rest) = split_varint(bytes)?;
    let (content, rest) = match tag & 7 {
        VARINT => split_varint(rest).map(|(n, rest)| (Content::Number(n), rest))?,
        FIXED64 => {
            let (double, rest) = rest.split_first_chunk()?;
            (Content::Double(f64::from_le_bytes(*double)), rest)
        }
        BYTES => {
            let (size, rest) = split_varint(rest)?;
            let (inner, rest) = rest.split_at_checked(usize::try_from(size).ok()?)?;
            (Content::Bytes(inner), rest)
        }
        _ => return None,
    };
    Some((Field { number: tag >> 3, content }, rest))
}

fn split_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (mut number, mut rest) = (0_u64, bytes);
    for shift in (0..64).step_by(7) {
        let (byte, more) = rest.split_first()?;
        rest = more;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((number, rest));
        }
    }
    None
}
