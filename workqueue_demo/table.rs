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
    patterns::queues::{
        self,
        Queues, //
    },
    queue_kind::QueueKind, //
};

pub(crate) fn print(snapshot: &Snapshot, queues: &Queues, file: &SeqFile) {
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
    // The snapshot was taken first: the queues of the items in it exist by now.
    for kind in QueueKind::ALL {
        if queues.made(kind).is_some() {
            seq_print!(
                file,
                "queue: {} flags={} max_active={} peak_running={}\n",
                kind.shown_name(),
                queues::flags(kind),
                queues::max_active(kind),
                snapshot.peak_running(kind)
            );
        }
    }
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
