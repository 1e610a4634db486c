//! Owns a list that is empty nearly always: one word, and no allocation until something is put in. Refuses to know what.
//!
//! Messages are moved many times between machines, runtimes and queues; three lists of three words each would be half of
//! what is moved.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::ops::Deref;

/// A list that is empty nearly always.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::box_collection, reason = "one word while it is empty is what it is for")]
pub struct Few<T>(Option<Box<Vec<T>>>);

impl<T> Few<T> {
    /// An empty one.
    pub const fn new() -> Self {
        Self(None)
    }

    /// Puts one at the end.
    pub fn push(&mut self, item: T) {
        self.0.get_or_insert_default().push(item);
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }
}

impl<T> From<Vec<T>> for Few<T> {
    fn from(items: Vec<T>) -> Self {
        Self(if items.is_empty() { None } else { Some(Box::new(items)) })
    }
}

impl<T> From<Few<T>> for Vec<T> {
    fn from(few: Few<T>) -> Self {
        few.0.map_or_else(Vec::new, |items| *items)
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        items.into_iter().collect::<Vec<T>>().into()
    }
}

impl<T> Extend<T> for Few<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        for item in items {
            self.push(item);
        }
    }
}

impl<T> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;
    fn into_iter(self) -> Self::IntoIter {
        Vec::from(self).into_iter()
    }
}

impl<T: Serialize> Serialize for Few<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::Few;

    #[test]
    fn it_is_a_list_whose_emptiness_is_one_value() {
        let mut few: Few<u32> = Vec::new().into();
        assert_eq!(few, Few::new());
        few.extend([]);
        assert_eq!(few, Few::default(), "nothing was put in");
        few.push(3);
        few.extend([4, 5]);
        assert_eq!((few.len(), few.last()), (3, Some(&5)));
        let text = serde_json::to_string(&few).expect("a list");
        assert_eq!(text, "[3,4,5]");
        assert_eq!(serde_json::from_str::<Few<u32>>(&text).expect("a list"), few);
        assert_eq!(few.into_iter().collect::<Vec<_>>(), [3, 4, 5]);
        assert_eq!(size_of::<Few<String>>(), size_of::<usize>());
    }
}
