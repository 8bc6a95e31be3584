//! A list that is seldom long: its first items need no memory of their own.

/// A list whose first `N` items stand in place.
#[derive(Debug, Clone)]
pub struct Small<T, const N: usize> {
    items: Items<T, N>,
}

#[derive(Debug, Clone)]
enum Items<T, const N: usize> {
    InPlace([T; N], usize),
    Beyond(Vec<T>),
}

impl<T: Copy + Default, const N: usize> Small<T, N> {
    /// Adds an item at the end.
    #[inline]
    pub fn push(&mut self, item: T) {
        match &mut self.items {
            Items::InPlace(items, count) => match items.get_mut(*count) {
                Some(place) => {
                    *place = item;
                    *count = count.saturating_add(1);
                }
                None => {
                    let mut all = Vec::with_capacity(N.saturating_mul(2));
                    all.extend_from_slice(items);
                    all.push(item);
                    self.items = Items::Beyond(all);
                }
            },
            Items::Beyond(items) => items.push(item),
        }
    }

    /// A list of that many default items.
    pub fn of_default(count: usize) -> Self {
        let items = match count <= N {
            true => Items::InPlace([T::default(); N], count),
            false => Items::Beyond(vec![T::default(); count]),
        };
        Self { items }
    }
}

impl<T, const N: usize> Small<T, N> {
    /// The items.
    pub fn as_slice(&self) -> &[T] {
        match &self.items {
            Items::InPlace(items, count) => items.get(..*count).unwrap_or(items),
            Items::Beyond(items) => items,
        }
    }

    /// The items, to be changed.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        match &mut self.items {
            Items::InPlace(items, count) => {
                let count = (*count).min(N);
                items.split_at_mut_checked(count).map_or(&mut [], |(items, _)| items)
            }
            Items::Beyond(items) => items,
        }
    }
}

impl<T: Copy + Default, const N: usize> Default for Small<T, N> {
    fn default() -> Self {
        Self::of_default(0)
    }
}

impl<T: PartialEq, const N: usize> PartialEq for Small<T, N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl<T: Eq, const N: usize> Eq for Small<T, N> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_back_in_order_whether_they_are_few_or_many() {
        let mut list: Small<u32, 3> = Small::default();
        for n in 0..10 {
            let expected: Vec<_> = (0..n).collect();
            assert_eq!(list.as_slice(), expected);
            list.push(n);
        }
        list.as_mut_slice().iter_mut().for_each(|n| *n = 0);
        assert_eq!(list, Small::of_default(10));
    }
}
