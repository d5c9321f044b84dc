//! Which keys of one object stood there before.

use hashbrown::HashMap;

/// Keys that are searched one by one; nearly all records have fewer.
const FEW: usize = 64;
/// Words of bits: with 30 keys, one in ten has to be searched.
const WORDS: usize = 4;

/// The keys of one object, by a hash of each. A record may have a hundred thousand of them.
#[derive(Debug)]
pub struct Keys {
    /// A bit of each hash: a key whose bit is not there is new.
    bits: [u64; WORDS],
    few: [u64; FEW],
    count: usize,
    /// All of them, once there are more.
    many: Option<HashMap<u64, u32>>,
}

impl Default for Keys {
    fn default() -> Self {
        Keys {
            bits: [0; WORDS],
            few: [0; FEW],
            count: 0,
            many: None,
        }
    }
}

impl Keys {
    /// Notes a key; returns how often it stood there before.
    pub fn before(&mut self, hash: u64) -> u32 {
        if let Some(many) = &mut self.many {
            let times = many.entry(hash).or_insert(0);
            *times += 1;
            return *times - 1;
        }
        let (word, bit) = ((hash >> 6) as usize % WORDS, 1u64 << (hash % 64));
        let own: &[u64] = match self.bits[word] & bit {
            0 => &[],
            _ => &self.few[..self.count],
        };
        self.bits[word] |= bit;
        let before = own.iter().fold(0, |n, other| n + u32::from(*other == hash));
        if let Some(free) = self.few.get_mut(self.count) {
            *free = hash;
            self.count += 1;
            return before;
        }
        let mut many = HashMap::with_capacity(2 * FEW);
        for key in self.few.iter().copied().chain([hash]) {
            *many.entry(key).or_insert(0) += 1;
        }
        self.many = Some(many);
        before
    }
}

#[cfg(test)]
mod tests {
    use super::Keys;

    #[test]
    fn keys_are_counted_however_many_there_are() {
        let mut keys = Keys::default();
        for round in 0..3 {
            for key in 0..100 {
                assert_eq!(keys.before(key), round, "{key}");
            }
        }
        let mut keys = Keys::default();
        assert_eq!([keys.before(0), keys.before(0), keys.before(7)], [0, 1, 0]);
    }
}
