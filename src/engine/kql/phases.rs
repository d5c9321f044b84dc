//! What a plan needs first: cells and lists of subqueries, columns that only rows have, parts of a table.
//!
//! Lowering runs none of it. The plan follows from the query, the schemas and the rows of phases. Where lowering comes to a phase whose rows
//! it does not have, it declares the phase and stops; who wants the plan runs that phase and lowers again. Phases are known by their order,
//! which is the same each time.

use super::later::Rows;
use super::lower::Lower;
use super::relation::Relation;
use super::{Failure, Made, Making};

impl Lower<'_> {
    /// The rows of a relation that the plan needs first, under the name of what is made of them.
    pub(super) fn phase(
        &mut self,
        name: String,
        making: Making,
        relation: &Relation,
    ) -> Result<Rows, Failure> {
        self.made_of.push(Made {
            name,
            plan: relation.plan.clone(),
            making,
        });
        self.first(relation)
    }

    /// The same without a name.
    pub(super) fn first(&mut self, relation: &Relation) -> Result<Rows, Failure> {
        // What is said behind a phase that has no rows yet may not be what is said once it has them.
        if self.waits {
            return Err(Failure::Needs);
        }
        let number = self.phases;
        self.phases += 1;
        match self.known.rows(number) {
            Some(rows) => Ok(rows.clone()),
            None => {
                self.waits = true;
                self.known.want(relation);
                Err(Failure::Needs)
            }
        }
    }
}
