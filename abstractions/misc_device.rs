// SPDX-License-Identifier: GPL-2.0

//! Misc devices whose files reach the state of the module that registered them.
//!
//! `kernel::miscdevice` passes the registration to `open` and has no place in it for the driver's
//! own data. Here the registration is embedded in a struct that has one, as C drivers do with
//! `container_of()`. It also lacks poll(2), writes that may not wait at all, and `write` beside
//! `write_iter`. With `write` a write(2) needs no iterator. (`kernel_write()` fails with `EINVAL`
//! on a file with both.)
//!
//! C headers: [`include/linux/miscdevice.h`](srctree/include/linux/miscdevice.h),
//! [`include/linux/fs.h`](srctree/include/linux/fs.h),
//! [`include/linux/poll.h`](srctree/include/linux/poll.h)

use core::{
    marker::PhantomData,
    mem::MaybeUninit,
    ptr,
    slice, //
};

use kernel::{
    alloc::Flags,
    container_of,
    error::from_result,
    ffi::c_char,
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
    sync::{
        poll::{
            PollCondVar,
            PollTable, //
        },
        Arc,
        ArcBorrow, //
    },
    types::ForeignOwnable,
    uaccess::UserPtr,
    ModuleMetadata, //
};

use super::{
    alive::{
        Alive,
        Kind, //
    },
    bindings,
    user_result::count_for_user, //
};

/// The bytes of one write(2) or writev(2).
///
/// # Examples
///
/// ```
/// use core::mem::MaybeUninit;
/// use crate::abstractions::misc_device::Bytes;
///
/// /// The first eight bytes, if there are so many and all can be read.
/// fn number(bytes: &mut impl Bytes) -> Result<u64> {
///     let mut buffer = [MaybeUninit::uninit(); 8];
///     let bytes = bytes.copy_into(&mut buffer);
///     Ok(u64::from_le_bytes((&*bytes).try_into().map_err(|_| EFAULT)?))
/// }
/// ```
pub(crate) trait Bytes {
    /// How many there are. Not all of them need be readable. Any context.
    fn len(&self) -> usize;

    /// Copies the next bytes, as many as there is room for. Copies fewer if there are no more, or
    /// no more that can be read. Returns the copied bytes. Process context: it may sleep.
    fn copy_into<'a>(&'a mut self, to: &'a mut [MaybeUninit<u8>]) -> &'a mut [u8];
}

impl Bytes for IovIterSource<'_> {
    fn len(&self) -> usize {
        IovIterSource::len(self)
    }

    /// C: `copy_from_iter()`.
    fn copy_into<'a>(&'a mut self, to: &'a mut [MaybeUninit<u8>]) -> &'a mut [u8] {
        self.copy_from_iter_raw(to)
    }
}

/// The bytes of a write(2), which lie at one place of the caller's memory.
struct UserBytes {
    from: UserPtr,
    len: usize,
}

impl Bytes for UserBytes {
    fn len(&self) -> usize {
        self.len
    }

    /// C: `copy_from_user()`.
    #[inline]
    fn copy_into<'a>(&'a mut self, to: &'a mut [MaybeUninit<u8>]) -> &'a mut [u8] {
        let to_copy = self.len.min(to.len());
        let from = self.from.as_const_ptr();
        // SAFETY: `to_copy` bytes may be written: `to` is at least as long. C checks that `from` is
        // the caller's, whatever it is.
        let left = unsafe { bindings::copy_from_user(to.as_mut_ptr().cast(), from, to_copy) };
        let copied = to_copy - left as usize;
        self.from = self.from.wrapping_byte_add(copied);
        self.len -= copied;
        // SAFETY: C has written these.
        unsafe { slice::from_raw_parts_mut(to.as_mut_ptr().cast(), copied) }
    }
}

/// What a write may wait for.
///
/// # Examples
///
/// ```
/// use crate::abstractions::misc_device::MayWaitFor;
///
/// fn memory(may_wait: MayWaitFor) -> Result<KBox<[u8; 4096]>> {
///     let memory = KBox::init(pin_init::init_zeroed(), may_wait.gfp());
///     // Who may not wait for memory tries again.
///     memory.map_err(|error| may_wait.error_for(error))
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum MayWaitFor {
    /// Whatever it takes.
    Anything,
    /// Memory, as every allocation may, and nothing else: the file has `O_NONBLOCK` at this moment.
    /// (fcntl(2) may have changed that since open(2).)
    Memory,
    /// Nothing at all: pwritev2(2) with `RWF_NOWAIT`, or io_uring, which waits by poll instead. A
    /// write that fails for lack of memory does not change what poll says: who waits for an edge
    /// waits in vain.
    ///
    /// C: `IOCB_NOWAIT`.
    Nothing,
}

impl MayWaitFor {
    /// How to allocate memory.
    pub(crate) fn gfp(self) -> Flags {
        match self {
            Self::Anything | Self::Memory => GFP_KERNEL,
            Self::Nothing => GFP_NOWAIT,
        }
    }

    /// The error of a write that got no memory by [`MayWaitFor::gfp`].
    pub(crate) fn error_for(self, no_memory: impl Into<Error>) -> Error {
        match self {
            Self::Anything | Self::Memory => no_memory.into(),
            Self::Nothing => EAGAIN,
        }
    }

    /// # Safety
    ///
    /// The file is open for the call.
    unsafe fn of_file(file: *mut bindings::file) -> Self {
        // SAFETY: Callers keep the file open. C writes the flags as one word, whenever it likes,
        // and they are read as one.
        let flags = unsafe { ptr::read_volatile(&raw const (*file).f_flags) };
        match flags & O_NONBLOCK {
            0 => Self::Anything,
            _ => Self::Memory,
        }
    }

    /// It uses no `LocalFile`, which is for the thread that has the file open: the writer may be an
    /// io_uring worker.
    fn of_kiocb<T: ForeignOwnable>(kiocb: &Kiocb<'_, T>) -> Self {
        // SAFETY: C passes a valid kiocb, whose file stays open for the call.
        let (flags, file) = unsafe { ((*kiocb.as_raw()).ki_flags, (*kiocb.as_raw()).ki_filp) };
        if flags & bindings::ABSTRACTIONS_IOCB_NOWAIT != 0 {
            return Self::Nothing;
        }
        // SAFETY: By the type invariants of `Kiocb` this is its file.
        unsafe { Self::of_file(file) }
    }
}

/// What a device that is only written to does.
///
/// # Examples
///
/// ```
/// use crate::abstractions::misc_device::{Bytes, FileOperations, MayWaitFor};
///
/// /// Takes whatever there is, and forgets it.
/// struct Null;
///
/// impl FileOperations for Null {
///     fn write(&self, bytes: &mut impl Bytes, _: MayWaitFor) -> Result<usize> {
///         Ok(bytes.len())
///     }
/// }
/// ```
///
/// One that makes writers wait says so to those who poll:
///
/// ```
/// use kernel::sync::{
///     atomic::{Atomic, Relaxed},
///     poll::PollCondVar,
/// };
/// use crate::abstractions::misc_device::{Bytes, FileOperations, MayWaitFor};
///
/// /// Takes a single write.
/// #[pin_data]
/// struct Once {
///     is_full: Atomic<bool>,
///     /// Notified by who takes out what is in it.
///     #[pin]
///     emptied: PollCondVar,
/// }
///
/// impl FileOperations for Once {
///     fn write(&self, bytes: &mut impl Bytes, _: MayWaitFor) -> Result<usize> {
///         if self.is_full.xchg(true, Relaxed) {
///             return Err(EAGAIN);
///         }
///         Ok(bytes.len())
///     }
///
///     fn is_writable(&self) -> bool {
///         !self.is_full.load(Relaxed)
///     }
///
///     fn writable(&self) -> Option<&PollCondVar> {
///         Some(&self.emptied)
///     }
/// }
/// ```
pub(crate) trait FileOperations: Send + Sync + 'static {
    /// Takes one write(2) or writev(2) and returns how many of its bytes it took.
    ///
    /// Any number of processes may call it at the same time, in process context. It may sleep, if
    /// it `may_wait`. More bytes than there were, and an error that is not for user space, become
    /// `EIO`.
    fn write(&self, bytes: &mut impl Bytes, may_wait: MayWaitFor) -> Result<usize>;

    /// Whether a write would not wait now: what poll(2) calls `POLLOUT`. Called as `write` is.
    fn is_writable(&self) -> bool {
        true
    }

    /// It is notified each time that `is_writable` may have become true. Those who poll enter its
    /// queue before they ask `is_writable`, so they miss nothing. Each call must return the same
    /// one.
    fn writable(&self) -> Option<&PollCondVar> {
        None
    }
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
/// use kernel::sync::{
///     atomic::{Atomic, Relaxed},
///     Arc,
/// };
/// use crate::abstractions::misc_device::{Bytes, Device, FileOperations, MayWaitFor};
///
/// /// Counts the bytes that are thrown into it.
/// struct Sink(Atomic<u64>);
///
/// impl FileOperations for Sink {
///     fn write(&self, bytes: &mut impl Bytes, _: MayWaitFor) -> Result<usize> {
///         self.0.add(bytes.len() as u64, Relaxed);
///         Ok(bytes.len())
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
    /// Until the module's init has returned, open(2) fails with `ENODEV`: C frees a module whose
    /// init fails even if it is in use. (udev does not open the device: it sets the node's owner
    /// and links. Who waits for the node and opens it at once has to try again.)
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
    // likes, and it is read as one.
    let state = unsafe { ptr::read_volatile(&raw const (*module).state) };
    state == bindings::module_state_MODULE_STATE_LIVE
}

/// What `kernel::miscdevice` sees: the operations of one open file.
///
/// # Invariants
///
/// Private to this file, so each `MiscDeviceRegistration<OpenDevice<T>>` is the `registration`
/// field of a [`Device<T>`].
struct OpenDevice<T>(PhantomData<T>);

#[vtable]
impl<T: FileOperations> MiscDevice for OpenDevice<T> {
    type Ptr = Arc<T>;

    fn open(file: &File, registration: &MiscDeviceRegistration<Self>) -> Result<Arc<T>> {
        if !is_live() {
            return Err(ENODEV);
        }
        // SAFETY: By the type invariants of `OpenDevice` this is a field of a `Device<T>`, which
        // lives for as long as the registration that it owns.
        let device =
            unsafe { &*container_of!(ptr::from_ref(registration), Device<T>, registration) };
        // SAFETY: It is being opened, so nobody else has it. C looks at the operations only
        // after this has returned, because its own `replace_fops()` replaces them during open, too.
        // Their module is that of the ones before, to which the file has a reference.
        unsafe {
            (*file.as_ptr()).f_op = Self::FILE_OPERATIONS;
            (*file.as_ptr()).f_mode |= bindings::ABSTRACTIONS_FMODE_NOWAIT;
        }
        Ok(device.state.clone())
    }

    fn write_iter(kiocb: Kiocb<'_, Self::Ptr>, data: &mut IovIterSource<'_>) -> Result<usize> {
        let may_wait = MayWaitFor::of_kiocb(&kiocb);
        let offered = data.len();
        count_for_user(kiocb.file().write(data, may_wait), offered)
    }
}

/// What `kernel::miscdevice` has no place for.
impl<T: FileOperations> OpenDevice<T> {
    const FILE_OPERATIONS: &'static bindings::file_operations = &bindings::file_operations {
        write: Some(Self::write),
        poll: Some(Self::poll),
        // SAFETY: It points at the constant that the `kernel` crate has made for this type.
        ..unsafe { *MiscDeviceOptions { name: c"" }.into_raw::<Self>().fops }
    };

    /// # Safety
    ///
    /// The file is one of a device that [`Device::register`] registered, and is open during `'a`.
    unsafe fn state<'a>(file: *mut bindings::file) -> ArcBorrow<'a, T> {
        // SAFETY: `open` returned an `Arc<T>`, which is the file's until it is released.
        unsafe { <Arc<T> as ForeignOwnable>::borrow((*file).private_data) }
    }

    /// # Safety
    ///
    /// C calls it for a file with these operations.
    unsafe extern "C" fn write(
        file: *mut bindings::file,
        from: *const c_char,
        len: usize,
        _: *mut bindings::loff_t,
    ) -> isize {
        // SAFETY: C keeps the file open for the call. Those with these operations are of a device
        // that was registered here.
        let state = unsafe { Self::state(file) };
        let mut bytes = UserBytes {
            from: UserPtr::from_ptr(from.cast_mut().cast()),
            len,
        };
        // SAFETY: As above.
        let may_wait = unsafe { MayWaitFor::of_file(file) };
        let result = state.write(&mut bytes, may_wait);
        // CAST: It is at most `len`, which C keeps to `MAX_RW_COUNT`.
        from_result(|| count_for_user(result, len).map(|taken| taken as isize))
    }

    /// # Safety
    ///
    /// C calls it for a file with these operations.
    unsafe extern "C" fn poll(
        file: *mut bindings::file,
        table: *mut bindings::poll_table_struct,
    ) -> bindings::__poll_t {
        // SAFETY: As for `write`.
        let state = unsafe { Self::state(file) };
        // SAFETY: C passes a table that is valid for the call, or none.
        let table = unsafe { PollTable::from_raw(table) };
        // SAFETY: The file is open for the call, and this thread is not in another on it.
        let file = unsafe { File::from_raw_file(file) };
        if let Some(writable) = state.writable() {
            // Who polls may be in this queue until the file is closed. The queue lives so long: it
            // is borrowed from the file's state. What can be borrowed from that stays while anybody
            // has a share in it, and the file has one.
            table.register_wait(file, writable);
        }
        match state.is_writable() {
            true => bindings::ABSTRACTIONS_EPOLLOUT,
            false => 0,
        }
    }
}
