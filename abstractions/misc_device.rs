// SPDX-License-Identifier: GPL-2.0

//! Misc devices whose files reach the state of the module that registered them.
//!
//! `kernel::miscdevice` passes the registration to `open` and has no place in it for the driver's
//! own data. Here the registration is embedded in a struct that has one, as C drivers do with
//! `container_of()`.
//!
//! C header: [`include/linux/miscdevice.h`](srctree/include/linux/miscdevice.h)

use core::{
    marker::PhantomData,
    ptr, //
};

use kernel::{
    bindings,
    container_of,
    fs::{
        file::flags::O_NONBLOCK,
        File,
        Kiocb, //
    },
    iov::IovIterSource,
    miscdevice::{
        MiscDevice,
        MiscDeviceOptions,
        MiscDeviceRegistration, //
    },
    prelude::*,
    sync::Arc,
    types::ForeignOwnable,
    ModuleMetadata, //
};

use super::{
    alive::{
        Alive,
        Kind, //
    },
    user_result::count_for_user, //
};

/// What a device that is only written to does.
///
/// # Examples
///
/// ```
/// use kernel::iov::IovIterSource;
/// use crate::abstractions::misc_device::FileOperations;
///
/// /// Takes whatever there is, and forgets it.
/// struct Null;
///
/// impl FileOperations for Null {
///     fn write(&self, data: &mut IovIterSource<'_>, _nonblocking: bool) -> Result<usize> {
///         Ok(data.len())
///     }
/// }
/// ```
pub(crate) trait FileOperations: Send + Sync + 'static {
    /// Takes one write(2) or writev(2) and returns how many of its bytes it took.
    ///
    /// May be called from any number of processes at the same time, in process context, and may
    /// sleep. If `nonblocking`, the caller would rather have `EAGAIN` than wait: its file has
    /// `O_NONBLOCK` at this moment, for fcntl(2) may have changed that since it was opened. More
    /// bytes than there were, and an error that is not for user space, become `EIO`.
    fn write(&self, data: &mut IovIterSource<'_>, nonblocking: bool) -> Result<usize>;
}

/// A registered misc device, which is deregistered when this is dropped.
///
/// The module cannot be removed while the device is open: C takes a reference to it in open(2).
///
/// Dropping it sleeps (`misc_deregister()`), but waits for nobody. A module that has forgotten it
/// cannot be unloaded: see [`Alive`].
///
/// # Examples
///
/// ```
/// use kernel::{
///     iov::IovIterSource,
///     sync::{
///         atomic::{Atomic, Relaxed},
///         Arc,
///     },
/// };
/// use crate::abstractions::misc_device::{Device, FileOperations};
///
/// /// Counts the bytes that are thrown into it.
/// struct Sink(Atomic<u64>);
///
/// impl FileOperations for Sink {
///     fn write(&self, data: &mut IovIterSource<'_>, _nonblocking: bool) -> Result<usize> {
///         self.0.add(data.len() as u64, Relaxed);
///         Ok(data.len())
///     }
/// }
///
/// let sink = Arc::new(Sink(Atomic::new(0)), GFP_KERNEL)?;
/// let device = KBox::pin_init(Device::register(c"sink", sink), GFP_KERNEL)?;
/// # drop(device);
/// # Ok::<(), Error>(())
/// ```
#[pin_data]
pub(crate) struct Device<T: FileOperations> {
    #[pin]
    registration: MiscDeviceRegistration<OpenDevice<T>>,
    state: Arc<T>,
    // Declared last and dropped last: the device is not registered any more by then.
    _alive: Alive,
}

impl<T: FileOperations> Device<T> {
    /// Registers `/dev/NAME`, which devtmpfs creates with mode 0600. May sleep.
    ///
    /// As long as the module's init has not returned, open(2) fails with `ENODEV`: C frees a
    /// module whose init fails even if it is in use. (udev does not open the device: it sets the
    /// node's owner and links. Who waits for the node and opens it at once has to try again.)
    ///
    /// C: `misc_register()`.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a name that is empty, `.` or `..`, longer than 255 bytes, or has a `/` in it.
    /// Those of C: `EEXIST` if the name is taken, `EBUSY` if the minor numbers are used up,
    /// `ENOMEM`.
    pub(crate) fn register(name: &'static CStr, state: Arc<T>) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            _: {
                check_name(name.to_bytes())?;
            },
            _alive: Alive::new(Kind::Device, name),
            // Before the registration, which makes it reachable.
            state,
            // INVARIANT: `OpenDevice` is registered here and nowhere else, in this very field.
            registration <- MiscDeviceRegistration::register(MiscDeviceOptions { name }),
        })
    }
}

/// Refuses a name that sysfs or devtmpfs would warn about, or take for a path.
fn check_name(name: &[u8]) -> Result {
    let is_path = name.contains(&b'/') || matches!(name, b"." | b"..");
    if name.is_empty() || is_path || name.len() > bindings::NAME_MAX as usize {
        return Err(EINVAL);
    }
    Ok(())
}

/// Whether the module's init has returned, or it is built in.
fn is_live() -> bool {
    let module = <crate::LocalModule as ModuleMetadata>::THIS_MODULE.as_ptr();
    if module.is_null() {
        return true;
    }
    // SAFETY: The module's code runs, so it is there. C writes its state as one word, whenever it
    // likes, and so is it read.
    let state = unsafe { ptr::read_volatile(&raw const (*module).state) };
    state == bindings::module_state_MODULE_STATE_LIVE
}

/// What `kernel::miscdevice` sees: the operations of one open file.
///
/// # Invariants
///
/// Private to this file, so that each `MiscDeviceRegistration<OpenDevice<T>>` there is, is the
/// `registration` field of a [`Device<T>`].
struct OpenDevice<T>(PhantomData<T>);

#[vtable]
impl<T: FileOperations> MiscDevice for OpenDevice<T> {
    type Ptr = Arc<T>;

    fn open(_file: &File, registration: &MiscDeviceRegistration<Self>) -> Result<Arc<T>> {
        if !is_live() {
            return Err(ENODEV);
        }
        // SAFETY: By the type invariants of `OpenDevice` this is a field of a `Device<T>`, which
        // lives for as long as the registration that it owns.
        let device =
            unsafe { &*container_of!(ptr::from_ref(registration), Device<T>, registration) };
        Ok(device.state.clone())
    }

    fn write_iter(kiocb: Kiocb<'_, Self::Ptr>, data: &mut IovIterSource<'_>) -> Result<usize> {
        let nonblocking = is_nonblocking(&kiocb);
        let offered = data.len();
        count_for_user(kiocb.file().write(data, nonblocking), offered)
    }
}

/// Not by means of a `LocalFile`, which is for the thread that has the file open: it may be a
/// worker of io_uring that writes.
fn is_nonblocking<T: ForeignOwnable>(kiocb: &Kiocb<'_, T>) -> bool {
    // SAFETY: C passes a valid kiocb, whose file stays open for the call. It writes the flags as
    // one word, whenever it likes, and so are they read.
    let flags = unsafe { ptr::read_volatile(&raw const (*(*kiocb.as_raw()).ki_filp).f_flags) };
    flags & O_NONBLOCK != 0
}
