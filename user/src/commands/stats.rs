// SPDX-License-Identifier: GPL-2.0

//! `wqtest stats [--json]`

use std::process::ExitCode;

use serde_json::{json, Map, Value};

use super::{complain, print, Done};
use crate::demo_node;
use crate::demo_table::Table;
use crate::echo_counters::EchoCounters;
use crate::error::Error;

/// Shows what there is. A missing module is reported and fails the command, but does not hide the
/// other.
pub fn run(json: bool) -> Done {
    let echo = EchoCounters::read();
    let demo = demo_node::read_table();
    if json {
        let value = as_json(echo.as_ref().ok(), demo.as_ref().ok());
        print(&format!("{value:#}\n"))?;
    } else {
        let text = demo.as_ref().ok().map(|_| demo_node::read_text()).transpose()?;
        print(&as_text(echo.as_ref().ok(), text.as_deref()))?;
    }
    let missing: Vec<Error> = echo.err().into_iter().chain(demo.err()).collect();
    for error in &missing {
        complain(error);
    }
    Ok(if missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Both parts under the names of the modules.
pub fn as_text(echo: Option<&EchoCounters>, demo: Option<&str>) -> String {
    let mut text = String::new();
    if let Some(echo) = echo {
        text.push_str("wq_echo\n");
        for (name, value) in echo.named() {
            text.push_str(&format!("  {name:<8} {value:>8}\n"));
        }
    }
    if let Some(demo) = demo {
        text.push_str("workqueue_demo\n");
        for line in demo.lines() {
            text.push_str(&format!("  {line}\n"));
        }
    }
    text
}

/// `null` for a module that is not loaded.
fn as_json(echo: Option<&EchoCounters>, demo: Option<&Table>) -> Value {
    json!({
        "wq_echo": echo.map(|counters| numbers(&counters.named())),
        "workqueue_demo": demo.map(table_as_json),
    })
}

fn table_as_json(table: &Table) -> Value {
    let rows = table.rows.iter().map(|row| (row.kind.clone(), numbers(&row.named())));
    let queues = table.queues.iter().map(|queue| {
        json!({
            "name": queue.name,
            "flags": queue.flags,
            "max_active": queue.max_active,
            "peak_running": queue.peak_running,
        })
    });
    json!({
        "rows": rows.collect::<Map<String, Value>>(),
        "queues": queues.collect::<Vec<Value>>(),
        "periodic": {
            "started": table.periodic.started,
            "period_ms": table.periodic.period_ms,
        },
    })
}

fn numbers(named: &[(&str, u64)]) -> Value {
    let fields = named.iter().map(|(name, value)| (name.to_string(), json!(value)));
    Value::Object(fields.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo_table::tests::EXAMPLE;

    #[test]
    fn shows_both_modules() {
        let echo = EchoCounters { accepted: 12, printed: 11, pending: 1, ..Default::default() };
        let text = as_text(Some(&echo), Some("kind queued\nimmediate 1\n"));
        assert_eq!(
            text,
            "wq_echo\n  accepted       12\n  printed        11\n  pending         1\n  \
             blocked         0\n  waiting         0\n  refused         0\n  batches         0\n\
             workqueue_demo\n  kind queued\n  immediate 1\n"
        );
        assert_eq!(as_text(None, None), "");
    }

    #[test]
    fn has_everything_in_json() {
        let echo = EchoCounters { refused: 3, ..Default::default() };
        let value = as_json(Some(&echo), Some(&EXAMPLE.parse().unwrap()));
        assert_eq!(value["wq_echo"]["refused"], 3);
        assert_eq!(value["workqueue_demo"]["rows"]["custom"]["wait_us"], 98765);
        assert_eq!(value["workqueue_demo"]["queues"][0]["flags"][1], "mem_reclaim");
        assert_eq!(value["workqueue_demo"]["queues"][1]["name"], "workqueue_demo_ordered");
        assert_eq!(value["workqueue_demo"]["periodic"]["started"], false);
    }

    #[test]
    fn says_null_for_what_is_not_there() {
        assert_eq!(as_json(None, None).to_string(), r#"{"workqueue_demo":null,"wq_echo":null}"#);
    }
}
