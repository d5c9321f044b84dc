//! `buildschema`: a schema that all values of a dynamic column have.

use std::sync::Arc;

use super::super::value::{Json, Value};
use super::accumulator::Accumulator;
use super::state::bytes;

/// Key under which Kusto puts the schema of the elements of arrays.
const INDEXER: &str = "`indexer`";
/// Deepest nesting that is looked into.
const DEPTH: usize = 64;

/// What the values of one place are.
#[derive(Debug, Clone, Default, PartialEq)]
struct Schema {
    scalars: Vec<&'static str>,
    bag: Option<Vec<(Arc<str>, Schema)>>,
    array: Option<Box<Schema>>,
}

impl Schema {
    fn take(&mut self, json: &Json, depth: usize) {
        let name = match json {
            Json::Null => return,
            _ if depth == 0 => return,
            Json::Bag(items) => {
                let bag = self.bag.get_or_insert_default();
                for (name, item) in items {
                    field(bag, name).take(item, depth - 1);
                }
                return;
            }
            Json::Array(items) => {
                let array = self.array.get_or_insert_default();
                for item in items {
                    array.take(item, depth - 1);
                }
                return;
            }
            Json::Bool(_) => "bool",
            Json::Long(_) => "long",
            Json::Real(_) | Json::Big(_) => "double",
            Json::String(_) => "string",
            Json::DateTime(_) => "datetime",
            Json::Timespan(_) => "timespan",
            Json::Guid(_) => "guid",
        };
        self.name(name);
    }

    fn name(&mut self, name: &'static str) {
        if !self.scalars.contains(&name) {
            self.scalars.push(name);
        }
    }

    /// Joins the schema that [`Schema::json`] gave.
    fn join(&mut self, json: &Json, depth: usize) {
        match json {
            _ if depth == 0 => {}
            Json::String(name) => {
                let names = [
                    "bool", "long", "double", "string", "datetime", "timespan", "guid",
                ];
                if let Some(known) = names.into_iter().find(|known| *known == &**name) {
                    self.name(known);
                }
            }
            Json::Array(kinds) => kinds.iter().for_each(|kind| self.join(kind, depth - 1)),
            Json::Bag(items) => match items.as_slice() {
                [(name, of)] if &**name == INDEXER => {
                    self.array.get_or_insert_default().join(of, depth - 1);
                }
                _ => {
                    let bag = self.bag.get_or_insert_default();
                    for (name, item) in items {
                        field(bag, name).join(item, depth - 1);
                    }
                }
            },
            _ => {}
        }
    }

    fn json(&self) -> Json {
        let scalars = self.scalars.iter();
        let mut kinds: Vec<Json> = scalars.map(|name| Json::String((*name).into())).collect();
        if let Some(array) = &self.array {
            kinds.push(Json::Bag(vec![(INDEXER.into(), array.json())]));
        }
        if let Some(bag) = &self.bag {
            let items = bag.iter().map(|(name, of)| (Arc::clone(name), of.json()));
            kinds.push(Json::Bag(items.collect()));
        }
        match kinds.len() {
            0 => Json::Null,
            1 => kinds.swap_remove(0),
            _ => Json::Array(kinds),
        }
    }
}

fn field<'a>(bag: &'a mut Vec<(Arc<str>, Schema)>, name: &Arc<str>) -> &'a mut Schema {
    let index = bag
        .iter()
        .position(|(known, _)| known == name)
        .unwrap_or_else(|| {
            bag.push((Arc::clone(name), Schema::default()));
            bag.len() - 1
        });
    &mut bag[index].1
}

/// `buildschema`
#[derive(Debug, Default)]
pub(super) struct BuildSchema {
    schema: Schema,
}

impl Accumulator for BuildSchema {
    fn add(&mut self, row: &[Value]) {
        if let Some(Value::Dynamic(json)) = row.first() {
            self.schema.take(json, DEPTH);
        }
    }

    fn finish(&mut self) -> Value {
        match std::mem::take(&mut self.schema).json() {
            Json::Null => Value::Null,
            json => Value::Dynamic(Arc::new(json)),
        }
    }

    fn save(&self) -> Json {
        self.schema.json()
    }

    fn merge(&mut self, state: &Json) {
        // Kinds of one place stand in an array, which is a level of its own.
        self.schema.join(state, 2 * DEPTH);
    }

    fn size(&self) -> usize {
        size_of::<Self>() + bytes(&self.schema.json())
    }
}
