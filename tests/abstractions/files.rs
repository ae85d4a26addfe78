// SPDX-License-Identifier: GPL-2.0

//! Files in /proc and misc devices: which names they may have, and what their callbacks may return.

use kernel::{
    prelude::*,
    seq_file::SeqFile,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    uaccess::UserSliceReader, //
};

use crate::{
    abstractions::{
        misc_device,
        procfs, //
    },
    probe, //
};

struct Nothing;

/// What open(2) of a device returned before the module's init had returned.
static OPENED_EARLY: Atomic<i32> = Atomic::new(1);

fn device(name: &'static CStr) -> Result<Pin<KBox<misc_device::Device<Nothing>>>> {
    let state = Arc::new(Nothing, GFP_KERNEL)?;
    KBox::pin_init(misc_device::Device::register(name, state), GFP_KERNEL)
}

/// The module's init calls this.
pub(crate) fn open_a_device_while_the_module_is_loaded() -> Result {
    let device = device(c"abstractions_kunit_early")?;
    let opened = probe::open(c"/dev/abstractions_kunit_early");
    OPENED_EARLY.store(opened.map_or_else(Error::to_errno, |()| 0), Relaxed);
    drop(device);
    Ok(())
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

#[kunit_tests(abstractions_files)]
mod tests {
    use super::*;
    use kernel::error::code;

    use crate::{
        abstractions::{
            owned_queue::OwnedQueue,
            user_result::{
                count_for_user,
                error_for_user, //
            }, //
        },
        probe::ensure, //
    };

    fn entry(name: &'static CStr, mode: u16) -> Result<procfs::Entry<Nothing>> {
        procfs::Entry::new(name, mode, Arc::new(Nothing, GFP_KERNEL)?)
    }

    /// A name of 256 bytes.
    fn too_long() -> Result<&'static CStr> {
        static NAME: [u8; 257] = {
            let mut name = [b'x'; 257];
            name[256] = 0;
            name
        };
        CStr::from_bytes_with_nul(&NAME).map_err(|_| EINVAL)
    }

    #[test]
    fn a_file_in_proc_has_a_name_and_no_path() -> Result {
        let outer = entry(c"abstractions_kunit", 0o644)?;
        for name in [
            c"abstractions_kunit/inner",
            c"/abstractions_kunit_2",
            c"abstractions_kunit_2/",
            c"sys/abstractions_kunit",
            c"",
            c".",
            c"..",
            c"1",
            c"4294967295",
        ] {
            ensure!(entry(name, 0o644).err() == Some(EINVAL));
        }
        drop(outer);
        ensure!(entry(too_long()?, 0o644).err() == Some(EINVAL));
        drop(entry(c"abstractions_kunit.1", 0)?);
        Ok(())
    }

    #[test]
    fn a_file_in_proc_has_a_mode_of_permissions_alone() -> Result {
        for mode in [0o100644, 0o040755, 0o4755, 0o1000] {
            ensure!(entry(c"abstractions_kunit", mode).err() == Some(EINVAL));
        }
        Ok(())
    }

    #[test]
    fn a_device_has_a_name_and_no_path() -> Result {
        for name in [c"", c".", c"..", c"abstractions/kunit"] {
            ensure!(device(name).err() == Some(EINVAL));
        }
        ensure!(device(too_long()?).err() == Some(EINVAL));
        drop(device(c"abstractions_kunit")?);
        Ok(())
    }

    #[test]
    fn a_device_cannot_be_opened_before_its_module_is_there_to_stay() -> Result {
        // A built-in module is there to stay from the start, but /dev is still empty then.
        let error = if cfg!(MODULE) { ENODEV } else { ENOENT };
        ensure!(OPENED_EARLY.load(Relaxed) == error.to_errno());
        Ok(())
    }

    #[test]
    fn a_queue_has_a_name() -> Result {
        ensure!(OwnedQueue::unbound(c"").build().err() == Some(EINVAL));
        ensure!(OwnedQueue::percpu(c"").sysfs().build().err() == Some(EINVAL));
        for name in [c".", c"..", c"abstractions/kunit"] {
            ensure!(OwnedQueue::unbound(name).sysfs().build().err() == Some(EINVAL));
        }
        drop(OwnedQueue::unbound(c"abstractions/kunit").build()?);
        Ok(())
    }

    #[test]
    fn what_is_no_error_for_users_is_an_io_error() -> Result {
        for error in [EPERM, EAGAIN, code::EHWPOISON] {
            ensure!(error_for_user(error) == error);
        }
        // No signal is pending here, so nothing would restart the call.
        ensure!(error_for_user(code::ERESTARTSYS) == EINTR);
        for error in [
            code::EIOCBQUEUED,
            code::ENOIOCTLCMD,
            code::EPROBE_DEFER,
            code::ERESTART_RESTARTBLOCK,
        ] {
            ensure!(error_for_user(error) == EIO);
        }
        Ok(())
    }

    #[test]
    fn nobody_takes_more_than_there_is() -> Result {
        ensure!(count_for_user(Ok(0), 0) == Ok(0));
        ensure!(count_for_user(Ok(5), 5) == Ok(5));
        ensure!(count_for_user(Err(EAGAIN), 5) == Err(EAGAIN));
        ensure!(count_for_user(Err(code::EIOCBQUEUED), 5) == Err(EIO));
        for count in [6, usize::MAX, 1 << 63, u32::MAX as usize] {
            ensure!(count_for_user(Ok(count), 5) == Err(EIO));
        }
        Ok(())
    }
}
