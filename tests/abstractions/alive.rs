// SPDX-License-Identifier: GPL-2.0

//! The count of what may still run the module's code.

use core::hint::spin_loop;

use kernel::{
    prelude::*,
    seq_file::SeqFile,
    str::CString,
    time::{
        Delta,
        Instant,
        Monotonic, //
    },
    uaccess::UserSliceReader,
    workqueue::system_long, //
};

use crate::{
    abstractions::{
        alive::{
            self,
            Owners, //
        },
        misc_device,
        owned_queue::OwnedQueue,
        periodic::Ticker,
        procfs, //
    },
    probe::Count, //
};

struct Nothing;

impl Ticker for Nothing {
    fn tick(&self) {}
}

impl procfs::ProcOperations for Nothing {
    fn show(&self, _: &SeqFile) -> Result {
        Ok(())
    }

    fn write(&self, data: UserSliceReader) -> Result<usize> {
        Ok(data.len())
    }
}

impl misc_device::FileOperations for Nothing {
    fn write(
        &self,
        bytes: &mut impl misc_device::Bytes,
        _: misc_device::MayWaitFor,
    ) -> Result<usize> {
        Ok(bytes.len())
    }
}

/// Whether the log's list of owners contains `text`.
fn shows(text: &str) -> Result<bool> {
    let owners = CString::try_from_fmt(fmt!("{Owners}"))?;
    Ok(owners.to_str()?.contains(text))
}

/// Makes an owner and drops it. Returns whether it was counted, and listed as `shown`, for just as
/// long as it existed.
fn is_counted<T>(shown: &str, make: impl FnOnce() -> Result<T>) -> Result<bool> {
    let before = alive::count();
    let owner = make()?;
    let while_there = alive::count() == before + 1 && shows(shown)?;
    drop(owner);
    Ok(while_there && alive::count() == before && !shows(shown)?)
}

/// Has a closure on a system queue drop an owner. Returns after the drop, while the closure still
/// runs.
pub(crate) fn drop_an_owner_elsewhere() -> Result {
    let queue = OwnedQueue::unbound(c"kunit_elsewhere").build()?;
    let dropped = Count::new_shared()?;
    let by_closure = dropped.clone();
    system_long().try_spawn(GFP_KERNEL, move || {
        drop(queue);
        by_closure.increment();
        drop(by_closure);
        let begin = Instant::<Monotonic>::now();
        while begin.elapsed() < Delta::from_millis(300) {
            spin_loop();
        }
        // scripts/kunit.sh looks for this as soon as the module has been removed.
        pr_info!("who dropped the last owner ends\n");
    })?;
    dropped.wait_for(1)
}

#[kunit_tests(abstractions_alive)]
mod tests {
    use super::*;
    use kernel::{
        sync::Arc,
        time::delay::fsleep, //
    };

    use crate::{
        abstractions::{
            alive::{
                Alive,
                Kind,
                SLOTS, //
            },
            delayed_work::new_delayed_work_handle,
            owned_queue::{
                spawn,
                system_percpu, //
            },
            periodic::new_periodic,
            work::new_work_handle, //
        },
        probe::{
            ensure,
            patience,
            Probe,
            Subject, //
        }, //
    };

    fn nothing() -> Result<Arc<Nothing>> {
        Ok(Arc::new(Nothing, GFP_KERNEL)?)
    }

    #[test]
    fn a_queue_is_counted_under_its_name() -> Result {
        ensure!(is_counted("queue \"kunit_alive\"", || {
            OwnedQueue::unbound(c"kunit_alive").build()
        })?);
        Ok(())
    }

    #[test]
    fn a_work_item_is_counted_under_its_name() -> Result {
        let probe = Probe::opened()?;
        ensure!(is_counted("item \"alive_item\"", || {
            new_work_handle!(system_percpu(), Subject::new(&probe), "alive_item")
        })?);
        Ok(())
    }

    #[test]
    fn a_delayed_item_is_counted_under_its_name() -> Result {
        let probe = Probe::opened()?;
        ensure!(is_counted("item \"alive_delayed\"", || {
            new_delayed_work_handle!(system_percpu(), Subject::new(&probe), "alive_delayed")
        })?);
        Ok(())
    }

    #[test]
    fn periodic_work_is_counted_under_its_name() -> Result {
        ensure!(is_counted("item \"alive_periodic\"", || {
            new_periodic!(system_percpu(), Nothing, "alive_periodic")
        })?);
        Ok(())
    }

    #[test]
    fn a_device_is_counted_under_its_name() -> Result {
        ensure!(is_counted("device \"kunit_alive\"", || {
            let device = misc_device::Device::register(c"kunit_alive", nothing()?);
            KBox::pin_init(device, GFP_KERNEL)
        })?);
        Ok(())
    }

    #[test]
    fn a_file_in_proc_is_counted_under_its_name() -> Result {
        ensure!(is_counted("file in /proc \"kunit_alive\"", || {
            procfs::Entry::new(c"kunit_alive", 0o644, nothing()?)
        })?);
        Ok(())
    }

    #[test]
    fn an_owner_that_could_not_be_made_is_not_counted() -> Result {
        let before = alive::count();
        ensure!(OwnedQueue::unbound(c"").build().is_err());
        ensure!(procfs::Entry::new(c"a/b", 0o644, nothing()?).is_err());
        let device = misc_device::Device::register(c"a/b", nothing()?);
        ensure!(KBox::pin_init(device, GFP_KERNEL).is_err());
        ensure!(alive::count() == before);
        Ok(())
    }

    /// Has a closure drop `owner` while `probe` runs. The drop waits for that run. Returns whether
    /// `owner` was counted until then.
    fn is_counted_to_the_end<T: Send + 'static>(probe: &Probe, owner: T) -> Result<bool> {
        probe.started.wait_for(1)?;
        let dropper = OwnedQueue::unbound(c"kunit_dropper").build()?;
        let with_owner = alive::count();
        spawn!(dropper, GFP_KERNEL, move || drop(owner), "drop")?;
        fsleep(patience());
        let while_it_runs = alive::count();
        probe.open();
        dropper.flush();
        Ok(while_it_runs == with_owner && alive::count() + 1 == with_owner)
    }

    #[test]
    fn an_item_is_counted_until_its_run_is_over() -> Result {
        let probe = Probe::closed()?;
        let handle = new_work_handle!(system_percpu(), Subject::new(&probe), "counted")?;
        handle.enqueue();
        ensure!(is_counted_to_the_end(&probe, handle)?);
        Ok(())
    }

    #[test]
    fn a_queue_is_counted_until_its_closures_are_over() -> Result {
        let probe = Probe::closed()?;
        let subject = Subject::new(&probe);
        let queue = OwnedQueue::unbound(c"kunit_alive").build()?;
        spawn!(queue, GFP_KERNEL, move || subject.run(), "counted")?;
        ensure!(is_counted_to_the_end(&probe, queue)?);
        Ok(())
    }

    #[test]
    fn more_owners_than_there_are_slots_are_all_counted() -> Result {
        let before = alive::count();
        let mut owners = KVec::new();
        for _ in 0..SLOTS + 5 {
            owners.push(Alive::new(Kind::Item, c"many"), GFP_KERNEL)?;
        }
        let (while_there, said) = (alive::count(), shows(" more")?);
        drop(owners);
        ensure!(while_there == before + SLOTS + 5);
        ensure!(said);
        ensure!(alive::count() == before);
        ensure!(!shows("many")?);
        Ok(())
    }

    #[test]
    fn an_owner_that_goes_leaves_its_slot_to_others() -> Result {
        for _ in 0..2 * SLOTS {
            ensure!(is_counted("item \"one\"", || Ok(Alive::new(
                Kind::Item,
                c"one"
            )))?);
        }
        Ok(())
    }

    #[test]
    fn an_owner_without_a_slot_is_counted_without_a_name() -> Result {
        let mut owners = KVec::new();
        for _ in 0..SLOTS {
            owners.push(Alive::new(Kind::File, c"named"), GFP_KERNEL)?;
        }
        let nameless = Alive::new(Kind::File, c"nameless");
        let before = alive::count();
        drop(owners);
        let (after, said) = (alive::count(), shows("1 without a name")?);
        drop(nameless);
        ensure!(after + SLOTS == before);
        ensure!(said);
        Ok(())
    }
}
