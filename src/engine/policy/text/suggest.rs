//! "Did you mean": the nearest of the known words.

/// The known word nearest to `word`, if it is near enough to be a typing error.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let limit = word.chars().count().div_ceil(3).min(3);
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edit distance in which swapping two neighbours is one edit (optimal string alignment),
/// without regard to case, `-` and `_`.
fn distance(a: &str, b: &str) -> usize {
    let fold = |s: &str| -> Vec<char> {
        s.chars().take(64).map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
    };
    let (a, b) = (fold(a), fold(b));
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let mut a_before = None;
    for (i, ca) in a.iter().enumerate() {
        let mut next = vec![i.saturating_add(1)];
        let mut b_before = None;
        for (j, cb) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX);
            let mut best = at(&row, j)
                .saturating_add(usize::from(ca != cb))
                .min(at(&row, j.saturating_add(1)).saturating_add(1))
                .min(at(&next, j).saturating_add(1));
            if a_before == Some(cb) && b_before == Some(ca) {
                best = best.min(at(&before, j.saturating_sub(1)).saturating_add(1));
            }
            next.push(best);
            b_before = Some(cb);
        }
        before = std::mem::replace(&mut row, next);
        a_before = Some(ca);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_find_their_word() {
        let known = ["weight", "max_weight", "name", "cluster"];
        for (word, found) in [
            ("wieght", Some("weight")),
            ("weigth", Some("weight")),
            ("Weight", Some("weight")),
            ("maxweight", Some("max_weight")),
            ("max-weight", Some("max_weight")),
            ("nmae", Some("name")),
            ("clusters", Some("cluster")),
            ("percent", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), found, "{word}");
        }
    }

    #[test]
    fn distance_counts_a_swap_as_one_edit() {
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
