// SPDX-License-Identifier: GPL-2.0

//! What a read of `/proc/workqueue_demo` shows.

use kernel::{
    seq_file::SeqFile,
    seq_print, //
};

use super::{
    command,
    ledger::{
        Kind,
        Snapshot, //
    },
    patterns::custom, //
};

pub(crate) fn print(snapshot: &Snapshot, file: &SeqFile) {
    seq_print!(
        file,
        "kind       queued coalesced cancelled executed pending running wait_us\n"
    );
    for kind in Kind::ALL {
        let row = snapshot.row(kind);
        seq_print!(
            file,
            "{:<10} {:>6} {:>9} {:>9} {:>8} {:>7} {:>7} {:>7}\n",
            kind.name(),
            row.queued,
            row.coalesced,
            row.cancelled,
            row.executed,
            row.pending,
            row.running,
            row.wait_us
        );
    }
    seq_print!(
        file,
        "queue: workqueue_demo flags=unbound,mem_reclaim,sysfs max_active={} peak_running={}\n",
        custom::MAX_ACTIVE,
        snapshot.peak_running
    );
    seq_print!(
        file,
        "periodic: {} period_ms={}\n",
        if snapshot.ticking {
            "running"
        } else {
            "stopped"
        },
        snapshot.period.as_millis()
    );
    seq_print!(file, "commands: {}\n", command::USAGE);
}
