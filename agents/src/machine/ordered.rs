//! Owns a map of few entries, kept as one sorted list: it allocates once and is walked in the order of its keys. Refuses
//! to know what it maps.
//!
//! Keys that are numbered upwards go to the end, and what a machine has under way is little: that is why this is a list.

/// A map whose entries lie in one list, sorted by key.
#[derive(Debug, Clone)]
pub struct Ordered<K, V> {
    entries: Vec<(K, V)>,
}

impl<K, V> Default for Ordered<K, V> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<K: Ord + Copy, V> Ordered<K, V> {
    fn position(&self, key: &K) -> Result<usize, usize> {
        match self.entries.last() {
            None => Err(0),
            Some((last, _)) if last < key => Err(self.entries.len()),
            Some(_) => self.entries.binary_search_by(|(known, _)| known.cmp(key)),
        }
    }

    /// Enters a value, instead of one with the same key.
    pub fn insert(&mut self, key: K, value: V) {
        match self.position(&key) {
            Ok(position) => self.entries[position].1 = value,
            Err(position) => self.entries.insert(position, (key, value)),
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.position(key).ok().map(|position| &self.entries[position].1)
    }

    /// The value of a key.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.position(key).ok().map(|position| &mut self.entries[position].1)
    }

    /// The value of a key, entered now where there was none.
    pub fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let position = self.position(&key).unwrap_or_else(|position| {
            self.entries.insert(position, (key, V::default()));
            position
        });
        &mut self.entries[position].1
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.position(key).ok().map(|position| self.entries.remove(position).1)
    }

    /// Whether there is such a key.
    pub fn contains(&self, key: &K) -> bool {
        self.position(key).is_ok()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Entries by key.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.entries.iter().map(|(key, value)| (*key, value))
    }

    /// Values by key.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.iter_mut().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::Ordered;

    #[test]
    fn it_maps_in_the_order_of_keys_whatever_the_order_of_arrival() {
        let mut map = Ordered::default();
        for key in [5, 1, 9, 3, 5] {
            map.insert(key, key * 10);
        }
        assert_eq!(
            map.iter().map(|(key, value)| (key, *value)).collect::<Vec<_>>(),
            [(1, 10), (3, 30), (5, 50), (9, 90)]
        );
        assert_eq!((map.remove(&3), map.remove(&4), map.len()), (Some(30), None, 3));
        assert!(map.contains(&9) && !map.contains(&3) && map.get(&1) == Some(&10));
        *map.get_or_default(2) += 7;
        assert_eq!(map.get(&2), Some(&7));
    }
}
