//! `make_list`, `make_set`, `dcount`: the values of groups, all of them or each once.
//!
//! A value is looked at once: what it is as an element of an array, and which one of all, is remembered by its cell.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, StringBuilder};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::common::Result;
use datafusion::logical_expr::EmitTo;
use hashbrown::{DefaultHashBuilder, HashMap, HashSet, HashTable};
use std::hash::BuildHasher;

use super::super::arrays;
use super::state::{Rows, State, taken};
use crate::function::aggregate;
use crate::function::value::{Json, Type, Value};

/// Texts, each once, with a number.
#[derive(Default)]
struct Texts {
    bytes: String,
    ends: Vec<usize>,
    /// A part of the hash of each text, and its number: so the table grows without reading the texts again, and reads nearly none that is
    /// another one.
    numbers: HashTable<(u32, u32)>,
    hasher: DefaultHashBuilder,
}

impl Texts {
    fn get(&self, number: u32) -> &str {
        let at = number as usize;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[at]]
    }

    fn hash(&self, text: &str) -> u32 {
        self.hasher.hash_one(text) as u32
    }

    fn find_hashed(&self, hash: u32, text: &str) -> Option<u32> {
        let is_same = |(other, number): &(u32, u32)| *other == hash && self.get(*number) == text;
        let found = self.numbers.find(spread(hash), is_same);
        found.map(|(_, number)| *number)
    }

    fn add_hashed(&mut self, hash: u32, text: &str) -> u32 {
        let number = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len());
        self.numbers
            .insert_unique(spread(hash), (hash, number), |(hash, _)| spread(*hash));
        number
    }

    fn find(&self, text: &str) -> Option<u32> {
        self.find_hashed(self.hash(text), text)
    }

    /// The number of a text that is not there.
    fn add(&mut self, text: &str) -> u32 {
        self.add_hashed(self.hash(text), text)
    }

    fn number(&mut self, text: &str) -> u32 {
        let hash = self.hash(text);
        let found = self.find_hashed(hash, text);
        found.unwrap_or_else(|| self.add_hashed(hash, text))
    }

    fn size(&self) -> usize {
        self.bytes.capacity()
            + self.ends.capacity() * size_of::<usize>()
            + self.numbers.capacity() * size_of::<(u32, u32)>()
    }
}

/// All bits of a hash table's hash, of which it takes the highest too.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Which elements there are in cells of one type.
struct Elements {
    ty: Type,
    /// Whether arrays are taken apart.
    apart: bool,
    /// Elements as they are stored; of strings, the strings. Equal ones may be spelled in several ways.
    spelled: Texts,
    /// What makes elements different, where that is not how they are spelled.
    keys: Texts,
    key_of: Vec<u32>,
    /// Cells of JSON that were met, and their elements.
    cells: Texts,
    of_cells: Vec<Box<[u32]>>,
    whole: HashMap<i64, u32>,
}

impl Elements {
    fn new(ty: Type, apart: bool) -> Elements {
        Elements {
            ty,
            apart,
            spelled: Texts::default(),
            keys: Texts::default(),
            key_of: Vec::new(),
            cells: Texts::default(),
            of_cells: Vec::new(),
            whole: HashMap::new(),
        }
    }

    fn of_json(&mut self, json: &Json) -> u32 {
        let stored = json.stored_text();
        if let Some(number) = self.spelled.find(&stored) {
            return number;
        }
        self.key_of
            .push(self.keys.number(&aggregate::json_key(json)));
        self.spelled.add(&stored)
    }

    /// What makes an element different from others.
    fn key(&self, number: u32) -> u32 {
        match self.ty {
            Type::String => number,
            _ => self.key_of[number as usize],
        }
    }

    /// The element that is stored so.
    fn of_stored(&mut self, text: &str) -> u32 {
        match self.ty {
            Type::String => self.spelled.number(text),
            _ => match Json::from_stored(text) {
                Some(json) => self.of_json(&json),
                None => self.of_json(&Json::String(text.into())),
            },
        }
    }

    /// As it stands in arrays.
    fn stored(&self, number: u32) -> &str {
        self.spelled.get(number)
    }

    fn write(&self, number: u32, out: &mut String) {
        match self.ty {
            Type::String => {
                let text = Json::String(self.spelled.get(number).into());
                out.push_str(&text.stored_text());
            }
            _ => out.push_str(self.spelled.get(number)),
        }
    }

    /// Gives the elements of the cells of a column to a function: the group that each is of, its number and its key.
    fn each(&mut self, column: &ArrayRef, rows: &Rows<'_>, mut take: impl FnMut(usize, u32, u32)) {
        match self.ty {
            Type::String => {
                let texts = column.as_string::<i32>();
                for (row, group) in rows.each() {
                    // A string is never null.
                    let text = match texts.is_null(row) {
                        true => "",
                        false => texts.value(row),
                    };
                    let element = self.spelled.number(text);
                    take(group, element, element);
                }
            }
            Type::Dynamic => {
                let texts = column.as_string::<i32>();
                for (row, group) in rows.each().filter(|(row, _)| texts.is_valid(*row)) {
                    let text = texts.value(row);
                    let cell = match self.cells.find(text) {
                        Some(cell) => cell,
                        None => {
                            let elements = self.elements(text);
                            self.of_cells.push(elements);
                            self.cells.add(text)
                        }
                    };
                    let elements = &self.of_cells[cell as usize];
                    for element in elements {
                        take(group, *element, self.key_of[*element as usize]);
                    }
                }
            }
            Type::Long | Type::DateTime | Type::Timespan => {
                let numbers = column.as_primitive::<Int64Type>();
                for (row, group) in rows.each().filter(|(row, _)| numbers.is_valid(*row)) {
                    let number = numbers.value(row);
                    let element = match self.whole.get(&number) {
                        Some(element) => *element,
                        None => {
                            let value = arrays::value(column, row, self.ty);
                            let element = self.of_json(&aggregate::element(&value));
                            self.whole.insert(number, element);
                            element
                        }
                    };
                    take(group, element, self.key(element));
                }
            }
            _ => {
                for (row, group) in rows.each().filter(|(row, _)| column.is_valid(*row)) {
                    let value = arrays::value(column, row, self.ty);
                    if value != Value::Null {
                        let element = self.of_json(&aggregate::element(&value));
                        take(group, element, self.key(element));
                    }
                }
            }
        }
    }

    /// The elements of a cell of JSON; there is none for null.
    fn elements(&mut self, text: &str) -> Box<[u32]> {
        let Value::Dynamic(json) = arrays::dynamic(text) else {
            return Box::default();
        };
        match &*json {
            Json::Null => Box::default(),
            Json::Array(items) if self.apart => {
                let items = items.iter().filter(|item| **item != Json::Null);
                items.map(|item| self.of_json(item)).collect()
            }
            other => Box::new([self.of_json(other)]),
        }
    }

    /// How many there are.
    fn len(&self) -> usize {
        self.spelled.ends.len()
    }

    fn size(&self) -> usize {
        self.spelled.size()
            + self.keys.size()
            + self.cells.size()
            + self.key_of.capacity() * size_of::<u32>()
            + self.of_cells.capacity() * (size_of::<Box<[u32]>>() + size_of::<u32>())
            + self.whole.capacity() * 2 * size_of::<i64>()
    }
}

/// So many elements are kept though no group has them.
const FEW: usize = 1024;

/// `make_set`, `dcount`: which elements are in each group.
pub(super) struct Different {
    /// Whether only their number is asked.
    count: bool,
    limit: usize,
    elements: Elements,
    /// Group and key of the element.
    seen: HashSet<(u32, u32)>,
    /// In the order in which they came.
    groups: Vec<Vec<u32>>,
}

impl Different {
    /// Counts them.
    pub(super) fn count(ty: Type) -> Option<Different> {
        Different::new(ty, true, usize::MAX)
    }

    /// Lists them, at most so many.
    pub(super) fn set(ty: Type, limit: usize) -> Option<Different> {
        Different::new(ty, false, limit)
    }

    fn new(ty: Type, count: bool, limit: usize) -> Option<Different> {
        // A list has its own text for decimals, which would be one for equal ones of several spellings.
        (ty != Type::Decimal).then(|| Different {
            count,
            limit,
            elements: Elements::new(ty, !count),
            seen: HashSet::new(),
            groups: Vec::new(),
        })
    }

    fn emit(&mut self, emit: EmitTo) -> Vec<Vec<u32>> {
        let gone = taken(&mut self.groups, emit);
        match emit {
            EmitTo::All => self.seen = HashSet::new(),
            EmitTo::First(n) => {
                let n = u32::try_from(n).unwrap_or(u32::MAX);
                let kept = self.seen.drain().filter(|(group, _)| *group >= n);
                self.seen = kept.map(|(group, e)| (group - n, e)).collect();
            }
        }
        gone
    }

    /// Gives back the memory of elements that no group has any more, where they are most of them.
    fn forget(&mut self) {
        let held: usize = self.groups.iter().map(Vec::len).sum();
        if self.elements.len() <= 2 * held + FEW {
            return;
        }
        let fresh = Elements::new(self.elements.ty, self.elements.apart);
        let old = std::mem::replace(&mut self.elements, fresh);
        self.seen = HashSet::new();
        for (group, list) in self.groups.iter_mut().enumerate() {
            let number = u32::try_from(group).unwrap_or(u32::MAX);
            for element in list {
                *element = self.elements.of_stored(old.stored(*element));
                self.seen.insert((number, self.elements.key(*element)));
            }
        }
    }
}

/// Takes an element with this key into a group.
fn insert(
    seen: &mut HashSet<(u32, u32)>,
    groups: &mut [Vec<u32>],
    limit: usize,
    (group, element, key): (usize, u32, u32),
) {
    let list = &mut groups[group];
    let number = u32::try_from(group).unwrap_or(u32::MAX);
    if list.len() < limit && seen.insert((number, key)) {
        list.push(element);
    }
}

impl State for Different {
    fn resize(&mut self, groups: usize) {
        self.groups.resize(groups, Vec::new());
    }

    fn update(&mut self, columns: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let (seen, groups, limit) = (&mut self.seen, &mut self.groups, self.limit);
        self.elements
            .each(&columns[0], rows, |group, element, key| {
                insert(seen, groups, limit, (group, element, key));
            });
        Ok(())
    }

    fn merge(&mut self, columns: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let lists = columns[0].as_list::<i32>();
        let texts = lists.values().as_string::<i32>();
        for (row, group) in rows.each().filter(|(row, _)| lists.is_valid(*row)) {
            let ends = &lists.offsets()[row..row + 2];
            for at in ends[0]..ends[1] {
                let at = usize::try_from(at).unwrap_or_default();
                let element = self.elements.of_stored(texts.value(at));
                let key = self.elements.key(element);
                let (seen, groups) = (&mut self.seen, &mut self.groups);
                insert(seen, groups, self.limit, (group, element, key));
            }
        }
        Ok(())
    }

    fn save(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = self.emit(emit);
        let offsets = OffsetBuffer::from_lengths(groups.iter().map(Vec::len));
        let mut texts = StringBuilder::new();
        for element in groups.iter().flatten() {
            texts.append_value(self.elements.stored(*element));
        }
        let texts = texts.finish();
        self.forget();
        let field = Arc::new(Field::new("item", DataType::Utf8, true));
        let lists = ListArray::try_new(field, offsets, Arc::new(texts), None)?;
        Ok(vec![Arc::new(lists)])
    }

    fn finish(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = self.emit(emit);
        if self.count {
            let counts = groups
                .iter()
                .map(|g| i64::try_from(g.len()).unwrap_or(i64::MAX));
            self.forget();
            return Ok(vec![Arc::new(Int64Array::from_iter_values(counts))]);
        }
        let mut out = StringBuilder::new();
        let mut text = String::new();
        for group in groups {
            text.clear();
            text.push('[');
            for (i, element) in group.into_iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                self.elements.write(element, &mut text);
            }
            text.push(']');
            out.append_value(&text);
        }
        self.forget();
        Ok(vec![Arc::new(out.finish())])
    }

    fn size(&self) -> usize {
        /// A list has room for more than it holds.
        const PAIR: usize = size_of::<(u32, u32)>() + 2 * size_of::<u32>();
        self.elements.size()
            + self.seen.capacity() * PAIR
            + self.groups.capacity() * size_of::<Vec<u32>>()
    }
}

/// `make_list`: the elements of each group as text, one after the other.
pub(super) struct Lists {
    ty: Type,
    /// Whether nulls are elements.
    nulls: bool,
    limit: usize,
    groups: Vec<(String, usize)>,
    held: usize,
}

impl Lists {
    /// At most so many. Kusto keeps a null in a list of `dynamic`.
    pub(super) fn new(ty: Type, nulls: bool, limit: usize) -> Lists {
        Lists {
            ty,
            nulls: nulls || ty == Type::Dynamic,
            limit,
            groups: Vec::new(),
            held: 0,
        }
    }

    fn push(&mut self, group: usize, stored: &str) {
        let (text, elements) = &mut self.groups[group];
        if *elements >= self.limit {
            return;
        }
        if *elements > 0 {
            text.push(',');
        }
        text.push_str(stored);
        *elements += 1;
        self.held += stored.len() + 1;
    }

    fn push_json(&mut self, group: usize, json: &Json) {
        match json {
            Json::Array(items) => {
                for item in items {
                    self.push(group, &item.stored_text());
                }
            }
            other => self.push(group, &other.stored_text()),
        }
    }

    fn emit(&mut self, emit: EmitTo) -> Vec<(String, usize)> {
        let gone = taken(&mut self.groups, emit);
        self.held = self.groups.iter().map(|(text, _)| text.len()).sum();
        gone
    }
}

impl State for Lists {
    fn resize(&mut self, groups: usize) {
        self.groups.resize(groups, (String::new(), 0));
    }

    fn update(&mut self, columns: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let column = &columns[0];
        for (row, group) in rows.each() {
            match arrays::value(column, row, self.ty) {
                Value::Null if self.nulls => self.push(group, "null"),
                Value::Null => {}
                Value::Dynamic(json) => self.push_json(group, &json),
                value => self.push(group, &aggregate::element(&value).stored_text()),
            }
        }
        Ok(())
    }

    fn merge(&mut self, columns: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let (texts, counts) = (columns[0].as_string::<i32>(), &columns[1]);
        let counts = counts.as_primitive::<Int64Type>();
        for (row, group) in rows.each() {
            let more = usize::try_from(counts.value(row)).unwrap_or_default();
            let text = texts.value(row);
            if more == 0 {
                continue;
            }
            if self.groups[group].1 + more <= self.limit {
                let (own, elements) = &mut self.groups[group];
                if *elements > 0 {
                    own.push(',');
                }
                own.push_str(text);
                *elements += more;
                self.held += text.len() + 1;
                continue;
            }
            if let Some(Json::Array(items)) = Json::from_stored(&format!("[{text}]")) {
                for item in &items {
                    self.push(group, &item.stored_text());
                }
            }
        }
        Ok(())
    }

    fn save(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = self.emit(emit);
        let counts = groups
            .iter()
            .map(|(_, n)| i64::try_from(*n).unwrap_or(i64::MAX));
        let counts = Int64Array::from_iter_values(counts);
        let bytes: usize = groups.iter().map(|(text, _)| text.len()).sum();
        let mut texts = StringBuilder::with_capacity(groups.len(), bytes);
        for (text, _) in groups {
            texts.append_value(text);
        }
        Ok(vec![Arc::new(texts.finish()), Arc::new(counts)])
    }

    fn finish(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = self.emit(emit);
        let bytes: usize = groups.iter().map(|(text, _)| text.len() + "[]".len()).sum();
        let mut texts = StringBuilder::with_capacity(groups.len(), bytes);
        for (text, _) in groups {
            texts.append_value(format!("[{text}]"));
        }
        Ok(vec![Arc::new(texts.finish())])
    }

    fn size(&self) -> usize {
        /// A text that grows has room for twice what it holds.
        const ROOM: usize = 2;
        ROOM * self.held + self.groups.capacity() * size_of::<(String, usize)>()
    }
}

#[cfg(test)]
mod tests {
    use super::Texts;

    #[test]
    fn a_text_keeps_its_number_while_the_table_grows() {
        let mut texts = Texts::default();
        let of = |n: u32| match n {
            0 => String::new(),
            n => format!("text {n}"),
        };
        for n in 0..5000 {
            assert_eq!(texts.find(&of(n)), None);
            let number = match n % 2 {
                0 => texts.number(&of(n)),
                _ => texts.add(&of(n)),
            };
            assert_eq!(number, n);
        }
        for n in 0..5000 {
            assert_eq!(texts.number(&of(n)), n);
            assert_eq!(texts.get(n), of(n));
        }
        assert_eq!(texts.find("text"), None);
    }
}
