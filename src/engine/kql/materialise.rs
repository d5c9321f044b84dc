//! Rows that are made when the query runs, by operators that go through all rows in their order, and rows that are worked out once
//! however often they are read (`materialize`). Planning reads nothing for them.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{DFSchema, TableReference};
use datafusion::logical_expr::{Extension, LogicalPlan};

use super::later::{ByColumn, ByRow, InColumns, InRows, Later, Make};
use super::lower::Lower;
use super::relation::{Column, Relation, columns_of};
use super::{Failure, Made, Making, arrays};
use crate::function::Env;
use crate::function::value::Type;

/// How rows are made later, and read.
#[derive(Clone, Copy)]
struct Readers<'n> {
    name: &'n str,
    making: Making,
    ordered: bool,
    /// Threads that may read them side by side.
    parts: usize,
}

impl<'n> Readers<'n> {
    /// In their order, by one thread.
    fn one(name: &'n str, making: Making) -> Self {
        Readers {
            name,
            making,
            ordered: true,
            parts: 1,
        }
    }
}

impl Lower<'_> {
    /// The same rows, in their order, gone through once.
    pub(super) fn made(&mut self, relation: &Relation) -> Result<Relation, Failure> {
        let rows = Readers::one("rows", Making::InOrder);
        let mut made = self.batch_later(rows, relation, &relation.schema(), None)?;
        made.ordered = relation.ordered;
        Ok(made)
    }

    /// `materialize`: the same rows, worked out once however often they are read.
    pub(super) fn materialized(&mut self, relation: &Relation) -> Result<Relation, Failure> {
        let rows = Readers {
            parts: match relation.ordered {
                true => 1,
                false => self.session.context().state().config().target_partitions(),
            },
            ordered: relation.ordered,
            ..Readers::one("materialize", Making::Once)
        };
        let mut made = self.batch_later(rows, relation, &relation.schema(), None)?;
        made.ordered = relation.ordered;
        Ok(made)
    }

    /// Rows that are made of all rows of a relation, which come in their order.
    pub(super) fn later(
        &mut self,
        name: &str,
        relation: &Relation,
        columns: &[(String, Type)],
        work: impl ByRow,
    ) -> Result<Relation, Failure> {
        let make = InRows {
            work,
            from: relation.columns.iter().map(|c| c.ty).collect(),
            to: columns.iter().map(|c| c.1).collect(),
        };
        let rows = Readers::one(name, Making::InOrder);
        self.batch_later(rows, relation, columns, Some(Arc::new(make)))
    }

    /// The same with whole columns: those of the result are made of those of the relation.
    pub(super) fn batches_later(
        &mut self,
        name: &str,
        relation: &Relation,
        columns: &[(String, Type)],
        work: impl ByColumn,
    ) -> Result<Relation, Failure> {
        let to = columns.iter().map(|c| c.1).collect();
        let make = InColumns { work, to };
        let rows = Readers::one(name, Making::InOrder);
        self.batch_later(rows, relation, columns, Some(Arc::new(make)))
    }

    fn batch_later(
        &mut self,
        rows: Readers<'_>,
        relation: &Relation,
        columns: &[(String, Type)],
        make: Option<Arc<dyn Make>>,
    ) -> Result<Relation, Failure> {
        let Readers {
            name,
            making,
            ordered,
            parts,
        } = rows;
        let input = self.fields.project(relation, columns_of(relation))?.plan;
        // The plan of the rows is not a part of the plan around them.
        let input = match self.options.now == Env::OPEN {
            // What is done to the rows was compiled like all scalars: where that needs the moment, it is known.
            true => input,
            false => Arc::new(self.session.bound(input.as_ref().clone())?),
        };
        let mut fields = Vec::new();
        let mut out = Vec::new();
        for (name, ty) in columns {
            let field = self.fields.next(name);
            fields.push(Field::new(&field, arrays::arrow_type(*ty), true));
            out.push(Column::new(name, *ty, field));
        }
        if fields.is_empty() {
            fields.push(Field::new(self.fields.next(""), DataType::Boolean, true));
        }
        let name = self.fields.next(name);
        let schema = Schema::new(fields);
        let schema = DFSchema::try_from_qualified_schema(TableReference::bare(&*name), &schema)?;
        self.made_of.push(Made {
            name: name.clone(),
            plan: Arc::clone(&input),
            making,
        });
        let hash = Later::hash_of(&name, &input);
        let later = Later {
            name,
            schema: Arc::new(schema),
            input,
            making,
            ordered,
            parts,
            make,
            room: self.session.room(),
            hash,
        };
        let node = Extension {
            node: self.known.node(later),
        };
        let made = Relation {
            plan: Arc::new(LogicalPlan::Extension(node)),
            columns: out,
            ordered: false,
        };
        Ok(made.with_local_times_of(relation))
    }
}

/// The rows of each of which a node makes one, where it does.
pub(in crate::engine) fn row_by_row(node: &Extension) -> Option<&LogicalPlan> {
    let later = node.node.as_any().downcast_ref::<Later>()?;
    let keeps = later.make.as_ref().is_none_or(|make| make.keeps_rows());
    keeps.then(|| later.input.as_ref())
}
