// SPDX-License-Identifier: GPL-2.0

//! The counters in debugfs: one number a file.

use kernel::{
    debugfs::Scope,
    fmt,
    prelude::*,
    sync::Arc, //
};

use super::{
    backlog::Stats,
    echo::Echo, //
};

/// Which counter a file shows.
type Value = fn(&Stats) -> u64;

/// The files, and what each shows.
const FILES: [(&CStr, Value); 7] = [
    (c"accepted", |stats| stats.accepted),
    (c"printed", |stats| stats.printed),
    (c"pending", |stats| stats.pending()),
    (c"blocked", |stats| stats.blocked),
    (c"waiting", |stats| stats.waiting),
    (c"refused", |stats| stats.refused),
    (c"batches", |stats| stats.batches),
];

/// What one file shows. The counters are read when the file is.
pub(crate) struct Counter {
    echo: Arc<Echo>,
    value: Value,
}

/// All there is to show.
pub(crate) type Counters = [Counter; FILES.len()];

/// debugfs shows a line with this.
impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", (self.value)(&self.echo.backlog.stats()))
    }
}

/// Creates `wq_echo/` in debugfs. The files are gone when the result is dropped.
pub(crate) fn files(echo: Arc<Echo>) -> impl PinInit<Scope<Counters>> {
    let counters = FILES.map(|(_, value)| Counter {
        echo: echo.clone(),
        value,
    });
    Scope::dir(counters, c"wq_echo", |counters, dir| {
        for ((name, _), counter) in FILES.iter().zip(counters) {
            dir.read_only_file(name, counter);
        }
    })
}
