//! The plugins of `evaluate`, and the operators `scan` and `reduce`: rows in memory to rows in memory.
//!
//! One table ([`all`]) drives calls, help and tests. A plugin says of which [`Form`] each argument is; whoever calls it compiles and
//! evaluates them. Nothing here resolves names of tables or of columns, [`scan`] aside.
//!
//! Plugins whose algorithm is not documented (`autocluster`, `diffpatterns`), that need what is not here (`dcount_intersect`), or that reach out (`http_request`, `python`) are not supported.

mod activity;
mod argument;
mod bag;
mod basket;
mod call;
mod definition;
mod lookup;
mod pivot;
pub mod reduce;
mod rolling;
pub mod scan;
mod sequence;
mod timeline;

pub use argument::{Argument, Columns, Form, Given, Parameter, Rows};
pub use definition::Plugin;

const FAMILIES: [&[Plugin]; 7] = [
    activity::TABLE,
    bag::TABLE,
    basket::TABLE,
    lookup::TABLE,
    pivot::TABLE,
    rolling::TABLE,
    sequence::TABLE,
];

/// All plugins.
pub fn all() -> impl Iterator<Item = &'static Plugin> {
    FAMILIES.into_iter().flatten()
}

/// The plugin of that name.
pub fn get(name: &str) -> Option<&'static Plugin> {
    all().find(|plugin| plugin.name == name)
}

#[cfg(test)]
mod tests;
