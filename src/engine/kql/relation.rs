//! A table on its way through a query: DataFusion's plan, and the columns as Kusto sees them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::Field;
use datafusion::common::{Column as PlanColumn, DFSchema};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Projection};

use super::{Failure, arrays, transcode};
use crate::function::value::Type;
use crate::kql::ast::Span;
use crate::kql::eval::Compiled;

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column {
    /// Its name in the query.
    pub name: String,
    /// Its Kusto type.
    pub ty: Type,
    /// Its name in the plan: unique, so that equal names of two sides of a join do not meet.
    pub field: String,
    /// The field of the stored column that it is made of, where that is still in the plan: files can be passed over by it. Of a path, its
    /// arrays and bags may have blanks.
    pub stored: Option<String>,
    /// Whether its times are those of clocks somewhere, and no instants.
    pub local: bool,
    /// Of a JSON column: the fields in which paths of it are stored, where they are still in the plan.
    pub paths: Arc<HashMap<String, String>>,
    /// Those of these fields of which each text is the array or object of the JSON, as it stands there.
    pub nested: Arc<HashSet<String>>,
}

impl Column {
    /// A column that is no more than its field.
    pub(super) fn new(name: impl Into<String>, ty: Type, field: impl Into<String>) -> Column {
        Column {
            name: name.into(),
            ty,
            field: field.into(),
            stored: None,
            local: false,
            paths: Arc::default(),
            nested: Arc::default(),
        }
    }

    /// What is stored of it is not in the plan any more.
    pub(super) fn forget(&mut self) {
        self.stored = None;
        self.paths = Arc::default();
        self.nested = Arc::default();
    }

    /// The column as an expression of the plan.
    pub(super) fn expr(&self) -> Expr {
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
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// The column of that name, or why not.
    pub(super) fn need(&self, name: &str, span: Span) -> Result<&Column, Failure> {
        self.column(name).ok_or_else(|| {
            let known: Vec<String> = self.columns.iter().map(|c| c.name.clone()).collect();
            Failure::no_column(name, span, &known)
        })
    }

    /// Names and types.
    pub(super) fn schema(&self) -> Vec<(String, Type)> {
        self.columns
            .iter()
            .map(|c| (c.name.clone(), c.ty))
            .collect()
    }

    /// Whether a scalar over its rows gives local times.
    pub(super) fn gives_local_times(&self, compiled: &Compiled) -> bool {
        compiled.is_local_time(&|at| self.columns.get(at).is_some_and(|c| c.local))
    }

    /// The same, with columns that were made row by row: one of the name of a column with local times has such ones too.
    pub(super) fn with_local_times_of(mut self, from: &Relation) -> Relation {
        for column in &mut self.columns {
            let same = from.column(&column.name);
            column.local |= same.is_some_and(|c| c.local) && column.ty == Type::DateTime;
        }
        self
    }

    /// Which of its columns have local times.
    pub(super) fn local_times(&self) -> Vec<bool> {
        self.columns.iter().map(|c| c.local).collect()
    }

    /// The same, with local times in these columns too.
    pub(super) fn with_local_times(mut self, local: &[bool]) -> Relation {
        for (column, local) in self.columns.iter_mut().zip(local) {
            column.local |= *local && column.ty == Type::DateTime;
        }
        self
    }

    /// Starts to change the plan.
    pub(super) fn builder(&self) -> LogicalPlanBuilder {
        LogicalPlanBuilder::from(Arc::clone(&self.plan))
    }

    /// The same columns over another plan.
    pub(super) fn with(&self, builder: LogicalPlanBuilder) -> Result<Relation, Failure> {
        Ok(Relation {
            plan: Arc::new(builder.build()?),
            ..self.clone()
        })
    }
}

/// Columns of a projection: name, type, expression.
pub(super) type Columns = Vec<(String, Type, Expr)>;

/// The columns as they are.
pub(super) fn columns_of(relation: &Relation) -> Columns {
    relation
        .columns
        .iter()
        .map(|c| (c.name.clone(), c.ty, c.expr()))
        .collect()
}

/// How columns are projected.
#[derive(Clone, Copy, PartialEq)]
enum Project {
    Only,
    /// With what is stored of them.
    Keeping,
    Untyped,
}

/// Gives fields of plans their names.
#[derive(Debug, Default)]
pub(super) struct Fields {
    taken: HashSet<String>,
    /// Fields of each stem.
    numbers: HashMap<String, usize>,
}

impl Fields {
    /// A name that no other field has, like that of the column.
    pub(super) fn next(&mut self, column: &str) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let stem = match !column.is_empty() && column.chars().all(plain) {
            true => column,
            false => "c",
        };
        let number = self.numbers.entry(stem.to_string()).or_insert(0);
        loop {
            *number += 1;
            let name = match *number {
                1 => stem.to_string(),
                n => format!("{stem}_{n}"),
            };
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }

    /// A projection of a relation to these columns, and nothing beside them.
    pub(super) fn project(
        &mut self,
        from: &Relation,
        columns: Vec<(String, Type, Expr)>,
    ) -> Result<Relation, Failure> {
        self.projected(from, columns, Project::Only)
    }

    /// The same, of columns that are not all of the type of their Kusto type.
    pub(super) fn project_untyped(
        &mut self,
        from: &Relation,
        columns: Vec<(String, Type, Expr)>,
    ) -> Result<Relation, Failure> {
        self.projected(from, columns, Project::Untyped)
    }

    /// A projection of a relation to these columns. What is stored of those that stay as they are stays in the plan.
    pub(super) fn project_keeping(
        &mut self,
        from: &Relation,
        columns: Vec<(String, Type, Expr)>,
    ) -> Result<Relation, Failure> {
        self.projected(from, columns, Project::Keeping)
    }

    fn projected(
        &mut self,
        from: &Relation,
        columns: Vec<(String, Type, Expr)>,
        how: Project,
    ) -> Result<Relation, Failure> {
        let mut exprs = Vec::new();
        let mut out = Vec::new();
        let mut kept: Vec<&String> = Vec::new();
        for (name, ty, expr) in columns {
            let mut column = Column::new(&name, ty, self.next(&name));
            let same = match &expr {
                Expr::Column(c) => from.columns.iter().find(|f| f.field == c.name),
                _ => None,
            };
            column.local = transcode::is_local(&expr) || same.is_some_and(|c| c.local);
            if let Some(same) = same.filter(|_| how == Project::Keeping) {
                kept.extend(same.stored.iter().chain(same.paths.values()));
                column.stored.clone_from(&same.stored);
                column.paths = Arc::clone(&same.paths);
                column.nested = Arc::clone(&same.nested);
            }
            if let Some(path) = transcode::kept_path(&expr)
                && how == Project::Keeping
            {
                let mut paths = from.columns.iter().flat_map(|c| c.paths.values());
                let path = paths.find(|field| *field == path);
                kept.extend(path);
                column.stored = path.cloned();
            }
            exprs.push(expr.alias(&column.field));
            out.push(column);
        }
        if exprs.is_empty() {
            // A table without columns still has rows.
            let field = self.next("");
            exprs.push(datafusion::prelude::lit(true).alias(&field));
        }
        kept.sort();
        kept.dedup();
        let input = from.plan.schema();
        let typed = !out.is_empty() && how != Project::Untyped;
        let plain = typed && input.iter().all(|(table, _)| table.is_none());
        let mut fields: Vec<Field> = out
            .iter()
            .map(|c| Field::new(&c.field, arrays::arrow_type(c.ty), true))
            .collect();
        for field in kept {
            if plain {
                fields.push(input.field_with_unqualified_name(field)?.as_ref().clone());
            }
            exprs.push(Expr::Column(PlanColumn::from_name(field)));
        }
        let plan = match plain {
            true => projection(exprs, Arc::clone(&from.plan), fields)?,
            false => from.builder().project(exprs)?.build()?,
        };
        Ok(Relation {
            plan: Arc::new(plan),
            columns: out,
            ordered: from.ordered,
        })
    }
}

/// A projection whose fields are known. Finding them out takes long for many columns.
pub(super) fn projection(
    exprs: Vec<Expr>,
    input: Arc<LogicalPlan>,
    fields: Vec<Field>,
) -> Result<LogicalPlan, Failure> {
    let schema = DFSchema::from_unqualified_fields(fields.into(), HashMap::new())?;
    let projection = Projection::try_new_with_schema(exprs, input, Arc::new(schema))?;
    Ok(LogicalPlan::Projection(projection))
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
