// SPDX-License-Identifier: GPL-2.0

//! The counters in debugfs: one number a file.

use kernel::{
    debugfs::Scope,
    prelude::*,
    sync::Arc, //
};

use super::echo::Echo;

/// Creates `wq_echo/` in debugfs. The files are gone when the result is dropped.
pub(crate) fn files(echo: Arc<Echo>) -> impl PinInit<Scope<Arc<Echo>>> {
    Scope::dir(echo, c"wq_echo", |echo, dir| {
        macro_rules! file {
            ($name:literal, $counter:ident) => {
                dir.read_callback_file($name, echo, &|echo, f| {
                    writeln!(f, "{}", echo.backlog.stats().$counter)
                })
            };
        }
        file!(c"accepted", accepted);
        file!(c"printed", printed);
        file!(c"pending", pending);
        file!(c"blocked", blocked);
        file!(c"refused", refused);
        file!(c"batches", batches);
    })
}
