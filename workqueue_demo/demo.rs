// SPDX-License-Identifier: GPL-2.0

//! The object behind `/proc/workqueue_demo`: takes commands and has the patterns carry them out.

use kernel::{
    prelude::*,
    seq_file::SeqFile,
    sync::Arc,
    uaccess::UserSliceReader, //
};

use super::{
    command::{
        self,
        Command,
        Refusal, //
    },
    ledger::{
        CloseOnDrop,
        Ledger, //
    },
    patterns::{
        custom,
        data,
        delayed,
        flush,
        immediate,
        periodic,
        queues::Queues, //
    },
    table, //
};
use crate::abstractions::{
    procfs,
    ratelimit::RateLimit, //
};

/// All of the module but the node in /proc. It comes down in the order of these fields: first what
/// queues itself, then what others queue, then the queues. By then they are empty or run their last
/// handlers.
pub(crate) struct Demo {
    periodic: periodic::Ticks,
    delayed: delayed::Delayed,
    immediate: immediate::Immediate,
    queues: Pin<KBox<Queues>>,
    ledger: Arc<Ledger>,
    refusals: RateLimit,
}

impl Demo {
    /// `refusals` is the budget for logging refusals.
    pub(crate) fn new(refusals: RateLimit) -> Result<Arc<Self>> {
        let ledger = Ledger::new()?;
        let demo = Self {
            periodic: periodic::new(ledger.clone())?,
            delayed: delayed::new(ledger.clone())?,
            immediate: immediate::new(ledger.clone())?,
            queues: Queues::new()?,
            ledger,
            refusals,
        };
        Ok(Arc::new(demo, GFP_KERNEL)?)
    }

    pub(crate) fn close_on_drop(&self) -> CloseOnDrop {
        CloseOnDrop(self.ledger.clone())
    }

    fn run(&self, command: Command) -> Result {
        match command {
            Command::Immediate => immediate::queue(&self.immediate),
            Command::Delayed { ms } => delayed::arm(&self.delayed, ms),
            Command::Custom { count, kind } => {
                custom::queue_items(&self.queues, &self.ledger, count, kind)
            }
            Command::Data { value } => data::queue_item(&self.queues, &self.ledger, value),
            Command::Start { period_ms } => periodic::start(&self.periodic, period_ms),
            Command::Stop => {
                periodic::stop(&self.periodic);
                Ok(())
            }
            Command::Cancel => {
                delayed::cancel(&self.delayed);
                Ok(())
            }
            Command::Flush => flush::flush(&self.ledger, &self.delayed),
            Command::Reset => {
                self.ledger.reset();
                Ok(())
            }
        }
    }

    /// Parses all commands of a text, then runs them. Returns how many bytes of it are done.
    ///
    /// # Errors
    ///
    /// That of the first command, or of the text. If a later command fails, the lines before it
    /// have run, and their length is returned.
    fn run_all(&self, text: &[u8]) -> Result<usize> {
        let lines = command::parse(text).inspect_err(|refusal| self.log(refusal))?;
        let mut done = 0;
        for line in &lines {
            match self.run(line.command) {
                Ok(()) => done = line.end,
                Err(error) if done == 0 => return Err(error),
                Err(_) => return Ok(done),
            }
        }
        Ok(text.len())
    }

    fn log(&self, refusal: &Refusal<'_>) {
        if self.refusals.may_log() {
            pr_warn!("{refusal}\n");
        }
    }
}

impl procfs::ProcOperations for Demo {
    fn show(&self, file: &SeqFile) -> Result {
        table::print(&self.ledger.snapshot(), &self.queues, file);
        Ok(())
    }

    fn write(&self, data: UserSliceReader) -> Result<usize> {
        let len = data.len();
        if len > command::MAX_LEN {
            let refusal = Refusal::TooLong { len };
            self.log(&refusal);
            return Err(refusal.into());
        }
        let mut text = KVec::new();
        data.read_all(&mut text, GFP_KERNEL)?;
        self.run_all(&text)
    }
}
