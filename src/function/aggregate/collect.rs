//! Lists, sets, bags, and how many different values there are.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::value::{Json, Type, Value};
use super::accumulator::Accumulator;
use super::state::{bytes, element, json_key, key, parts};

/// What a [`List`] does with nulls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nulls {
    /// Leaves them out.
    Dropped,
    /// Keeps them.
    Kept,
}

/// `make_list`: values in the order of the rows. The elements of arrays are taken one by one.
#[derive(Debug)]
pub(super) struct List {
    nulls: Nulls,
    limit: usize,
    items: Vec<Json>,
    held: usize,
}

impl List {
    /// A list of values of that type. Kusto keeps a null in a list of `dynamic`.
    pub(super) fn new(nulls: Nulls, ty: Type, limit: usize) -> List {
        let nulls = if ty == Type::Dynamic {
            Nulls::Kept
        } else {
            nulls
        };
        List {
            nulls,
            limit,
            items: Vec::new(),
            held: 0,
        }
    }

    fn take(&mut self, item: Json) {
        if self.items.len() < self.limit {
            self.held += bytes(&item);
            self.items.push(item);
        }
    }
}

impl Accumulator for List {
    fn add(&mut self, row: &[Value]) {
        match row.first() {
            Some(Value::Null) if self.nulls == Nulls::Dropped => {}
            Some(Value::Dynamic(json)) => match &**json {
                Json::Array(items) => items.iter().for_each(|item| self.take(item.clone())),
                other => self.take(other.clone()),
            },
            Some(value) => self.take(element(value)),
            None => {}
        }
    }

    fn finish(&mut self) -> Value {
        Value::Dynamic(Arc::new(Json::Array(std::mem::take(&mut self.items))))
    }

    fn save(&self) -> Json {
        Json::Array(self.items.clone())
    }

    fn merge(&mut self, state: &Json) {
        for item in parts(state) {
            self.take(item.clone());
        }
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.held
    }
}

/// `make_set`: each value once, in the order in which they came. The elements of arrays are taken one by one.
#[derive(Debug)]
pub(super) struct Set {
    limit: usize,
    seen: HashSet<Box<str>>,
    items: Vec<Json>,
    held: usize,
}

impl Set {
    pub(super) fn new(limit: usize) -> Set {
        Set {
            limit,
            seen: HashSet::new(),
            items: Vec::new(),
            held: 0,
        }
    }

    fn take(&mut self, item: Json) {
        if item == Json::Null || self.items.len() >= self.limit {
            return;
        }
        let key = json_key(&item);
        if self.seen.contains(key.as_str()) {
            return;
        }
        self.held += key.len() + size_of::<Box<str>>() + bytes(&item);
        self.seen.insert(key.into_boxed_str());
        self.items.push(item);
    }
}

impl Accumulator for Set {
    fn add(&mut self, row: &[Value]) {
        match row.first() {
            Some(Value::Dynamic(json)) => match &**json {
                Json::Array(items) => items.iter().for_each(|item| self.take(item.clone())),
                other => self.take(other.clone()),
            },
            Some(value) => self.take(element(value)),
            None => {}
        }
    }

    fn finish(&mut self) -> Value {
        self.seen.clear();
        Value::Dynamic(Arc::new(Json::Array(std::mem::take(&mut self.items))))
    }

    fn save(&self) -> Json {
        Json::Array(self.items.clone())
    }

    fn merge(&mut self, state: &Json) {
        for item in parts(state) {
            self.take(item.clone());
        }
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.held
    }
}

/// `make_bag`: the properties of all bags; of several with one key, the first.
#[derive(Debug)]
pub(super) struct Bag {
    limit: usize,
    seen: HashSet<Arc<str>>,
    items: Vec<(Arc<str>, Json)>,
    held: usize,
}

impl Bag {
    pub(super) fn new(limit: usize) -> Bag {
        Bag {
            limit,
            seen: HashSet::new(),
            items: Vec::new(),
            held: 0,
        }
    }
}

impl Accumulator for Bag {
    fn add(&mut self, row: &[Value]) {
        if let Some(Value::Dynamic(json)) = row.first() {
            self.merge(json);
        }
    }

    fn finish(&mut self) -> Value {
        self.seen.clear();
        Value::Dynamic(Arc::new(Json::Bag(std::mem::take(&mut self.items))))
    }

    fn save(&self) -> Json {
        Json::Bag(self.items.clone())
    }

    fn merge(&mut self, state: &Json) {
        let Json::Bag(items) = state else {
            return;
        };
        for (name, item) in items {
            if self.items.len() < self.limit && self.seen.insert(Arc::clone(name)) {
                self.held += 2 * size_of::<Arc<str>>() + name.len() + bytes(item);
                self.items.push((Arc::clone(name), item.clone()));
            }
        }
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.held
    }
}

/// `dcount`, `count_distinct`: how many different values there are, exactly; nulls do not count.
#[derive(Debug, Default)]
pub(super) struct Distinct {
    seen: HashSet<Box<str>>,
    held: usize,
}

impl Distinct {
    fn take(&mut self, key: &str) {
        if !self.seen.contains(key) {
            self.held += key.len() + size_of::<Box<str>>();
            self.seen.insert(key.into());
        }
    }
}

impl Accumulator for Distinct {
    fn add(&mut self, row: &[Value]) {
        match row.first() {
            None | Some(Value::Null) => {}
            Some(Value::Dynamic(json)) if **json == Json::Null => {}
            Some(value) => self.take(&key(value)),
        }
    }

    fn finish(&mut self) -> Value {
        Value::Long(i64::try_from(self.seen.len()).unwrap_or(i64::MAX))
    }

    fn save(&self) -> Json {
        let keys = self.seen.iter();
        Json::Array(keys.map(|key| Json::String((**key).into())).collect())
    }

    fn merge(&mut self, state: &Json) {
        for part in parts(state) {
            if let Json::String(key) = part {
                self.take(key);
            }
        }
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.held
    }
}
