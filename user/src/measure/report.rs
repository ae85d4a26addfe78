// SPDX-License-Identifier: GPL-2.0

//! The output: one line of JSON for each figure.

use std::io::{self, Write};

use serde_json::{json, Map, Value};

use super::statistics::median;
use crate::error::Error;
use crate::harness::Outcome;

/// What is printed of a figure besides its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    fields: Map<String, Value>,
}

impl Row {
    /// `of` is what was measured: `rust`, `c`, or another name.
    pub fn new(row: &str, of: &str) -> Row {
        let mut fields = Map::new();
        fields.insert("row".into(), json!(row));
        fields.insert("of".into(), json!(of));
        Row { fields }
    }

    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Row {
        self.fields.insert(name.into(), value.into());
        self
    }

    /// Prints the row with the median of the rounds.
    pub fn print_median(self, unit: &str, rounds: &[f64]) -> Outcome {
        self.with("rounds", rounds.to_vec()).print(unit, median(rounds))
    }

    pub fn print(self, unit: &str, value: f64) -> Outcome {
        let row = self.with("unit", unit).with("value", value);
        let mut out = io::stdout().lock();
        writeln!(out, "{}", Value::Object(row.fields))
            .and_then(|()| out.flush())
            .map_err(|error| Error::from_io("stdout", &error))?;
        Ok(())
    }
}
