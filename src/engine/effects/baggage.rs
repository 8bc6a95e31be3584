//! The W3C `baggage` header: carries the variants down the call chain.

/// The header's name.
pub(super) const HEADER: &str = "baggage";
/// The limits of the specification (W3C Baggage, 3.3.2): members, and bytes of all of them.
const MEMBERS_MAX: usize = 64;
const BYTES_MAX: usize = 8192;

/// All lines of the header as one value, with a member `split.<name>=<variant>` for each variant.
/// A member of that name is replaced, all others are kept as they are, and ours are left out where
/// they would break a limit: what others put there comes first.
pub(super) fn with_members<'l, 'r>(
    lines: impl Iterator<Item = &'l [u8]>,
    variants: impl Iterator<Item = (&'r str, &'r str)> + Clone,
) -> Vec<u8> {
    let mut value: Vec<u8> = Vec::new();
    let mut members = 0_usize;
    let mut push = |member: &[u8], limited: bool| {
        let bytes = value.len().saturating_add(member.len()).saturating_add(1);
        if limited && (members >= MEMBERS_MAX || bytes > BYTES_MAX) {
            return;
        }
        if !value.is_empty() {
            value.push(b',');
        }
        value.extend_from_slice(member);
        members = members.saturating_add(1);
    };
    for member in lines.flat_map(|line| line.split(|b| *b == b',')) {
        let member = member.trim_ascii();
        let key = member.split(|b| matches!(b, b'=' | b';')).next().unwrap_or_default();
        let split = key.trim_ascii().strip_prefix(b"split.");
        let ours = |split: &[u8]| variants.clone().any(|(name, _)| name.as_bytes() == split);
        if !member.is_empty() && !split.is_some_and(ours) {
            push(member, false);
        }
    }
    for (split, variant) in variants {
        push(format!("split.{split}={variant}").as_bytes(), true);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(lines: &[&str], variants: &[(&str, &str)]) -> String {
        let value = with_members(lines.iter().map(|l| l.as_bytes()), variants.iter().copied());
        String::from_utf8(value).unwrap()
    }

    #[test]
    fn members_are_added_and_others_kept() {
        assert_eq!(with(&[], &[("checkout", "canary")]), "split.checkout=canary");
        assert_eq!(
            with(&["userId=alice;p=1 , x = y", "z=1"], &[("a", "b"), ("c", "d")]),
            "userId=alice;p=1,x = y,z=1,split.a=b,split.c=d"
        );
    }

    #[test]
    fn a_member_of_ours_is_replaced_and_that_of_another_split_kept() {
        assert_eq!(
            with(&["split.a=old;meta=1,split.ab=1, split.a = older"], &[("a", "new")]),
            "split.ab=1,split.a=new"
        );
    }

    #[test]
    fn ours_are_left_out_where_they_would_break_a_limit() {
        let long = format!("k={}", "v".repeat(8180));
        assert_eq!(with(&[&long], &[("checkout", "canary")]), long);
        let many = vec!["a=1"; 64].join(",");
        assert_eq!(with(&[&many], &[("checkout", "canary")]), many);
    }
}
