//! A table on its way through a query: DataFusion's plan, and the columns as Kusto sees them.

use std::sync::Arc;

use datafusion::common::Column as PlanColumn;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

use super::{Failure, arrays};
use crate::kql::ast::Span;
use crate::kql::value::Type;

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column {
    /// Its name in the query.
    pub name: String,
    /// Its Kusto type.
    pub ty: Type,
    /// Its name in the plan: unique, so that equal names of two sides of a join do not meet.
    pub field: String,
    /// The field of the stored column that it is made of, where that is still in the plan: files can be passed over by it.
    pub stored: Option<String>,
}

impl Column {
    /// The column as an expression of the plan.
    pub fn expr(&self) -> Expr {
        Expr::Column(PlanColumn::from_name(&self.field))
    }
}

/// A table.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    /// How its rows come about.
    pub plan: Arc<LogicalPlan>,
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// Whether its rows have an order that the user asked for.
    pub ordered: bool,
}

impl Relation {
    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// The column of that name, or why not.
    pub fn need(&self, name: &str, span: Span) -> Result<&Column, Failure> {
        self.column(name).ok_or_else(|| {
            let known: Vec<String> = self.columns.iter().map(|c| c.name.clone()).collect();
            Failure::at(span, format!("no column `{name}`")).hint_near(name, &known)
        })
    }

    /// Names and types.
    pub fn schema(&self) -> Vec<(String, Type)> {
        self.columns
            .iter()
            .map(|c| (c.name.clone(), c.ty))
            .collect()
    }

    /// Starts to change the plan.
    pub fn builder(&self) -> LogicalPlanBuilder {
        LogicalPlanBuilder::from(Arc::clone(&self.plan))
    }

    /// The same columns over another plan.
    pub fn with(&self, builder: LogicalPlanBuilder) -> Result<Relation, Failure> {
        Ok(Relation {
            plan: Arc::new(builder.build()?),
            ..self.clone()
        })
    }
}

/// Gives fields of plans their names.
#[derive(Debug, Default)]
pub(super) struct Fields(usize);

impl Fields {
    /// A name that no other field has.
    pub fn next(&mut self) -> String {
        self.0 += 1;
        format!("c{}", self.0)
    }

    /// A projection of a relation to these columns.
    pub fn project(
        &mut self,
        from: &Relation,
        columns: Vec<(String, Type, Expr)>,
    ) -> Result<Relation, Failure> {
        let mut exprs = Vec::new();
        let mut out = Vec::new();
        for (name, ty, expr) in columns {
            let field = self.next();
            exprs.push(expr.alias(&field));
            out.push(Column {
                name,
                ty,
                field,
                stored: None,
            });
        }
        if exprs.is_empty() {
            // A table without columns still has rows.
            let field = self.next();
            exprs.push(datafusion::prelude::lit(true).alias(&field));
        }
        Ok(Relation {
            plan: Arc::new(from.builder().project(exprs)?.build()?),
            columns: out,
            ordered: from.ordered,
        })
    }
}

/// A null of this type.
pub(super) fn null(ty: Type) -> Expr {
    let none = datafusion::scalar::ScalarValue::try_from(&arrays::arrow_type(ty));
    match (ty, none) {
        (Type::String, _) => datafusion::prelude::lit(""),
        (_, Ok(none)) => Expr::Literal(none, None),
        // All of them have a null.
        (_, Err(_)) => Expr::Literal(datafusion::scalar::ScalarValue::Null, None),
    }
}
