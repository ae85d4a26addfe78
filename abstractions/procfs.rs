// SPDX-License-Identifier: GPL-2.0

//! Files in /proc.
//!
//! New drivers should not add any: statistics belong in debugfs or sysfs. This teaches how the
//! interface works, and is for what has always been in /proc.
//!
//! C header: [`include/linux/proc_fs.h`](srctree/include/linux/proc_fs.h)

use core::{
    marker::PhantomData,
    ptr::NonNull, //
};

use kernel::{
    error::from_result,
    prelude::*,
    seq_file::SeqFile,
    sync::Arc,
    uaccess::{
        UserPtr,
        UserSlice,
        UserSliceReader, //
    }, //
};

use super::{
    alive::{
        Alive,
        Kind, //
    },
    bindings,
    user_result::{
        count_for_user,
        error_for_user, //
    }, //
};

/// What a file in /proc does when it is read and written.
///
/// Any number of processes may call both at the same time, in process context. They may sleep.
///
/// # Examples
///
/// A file that shows one line, and cannot be written to, whatever its mode:
///
/// ```
/// use kernel::{seq_file::SeqFile, seq_print, uaccess::UserSliceReader};
/// use crate::abstractions::procfs::ProcOperations;
///
/// struct Answer;
///
/// impl ProcOperations for Answer {
///     fn show(&self, file: &SeqFile) -> Result {
///         seq_print!(file, "42\n");
///         Ok(())
///     }
///
///     fn write(&self, _: UserSliceReader) -> Result<usize> {
///         Err(EPERM)
///     }
/// }
/// ```
pub(crate) trait ProcOperations: Send + Sync + 'static {
    /// Prints all of the file. One call fills one buffer, which serves short reads too: what is
    /// printed under one lock is read as one snapshot. If the text did not fit, it is called again
    /// with a larger buffer.
    ///
    /// An error that is not for user space becomes `EIO`.
    fn show(&self, file: &SeqFile) -> Result;

    /// Takes one write(2) and returns how many of its bytes it took. More than there were, and an
    /// error that is not for user space, become `EIO`.
    fn write(&self, data: UserSliceReader) -> Result<usize>;
}

/// A file in /proc that is removed when this is dropped.
///
/// A file in /proc holds no reference to its module, so the module can be removed while the file is
/// open. Removal waits for calls in flight. Whoever still has the file open gets an error from then
/// on.
///
/// # Locking and context
///
/// Dropping it sleeps until the calls in flight are over. Do not drop it in one of them, or under a
/// lock that one of them takes: it would wait for ever. Nothing reports that, because C waits on a
/// completion that lockdep does not know.
///
/// An init function may fail after it has made one: dropping it waits for the calls in flight. A
/// module that has forgotten it cannot be unloaded: see [`Alive`].
///
/// # Examples
///
/// ```
/// use kernel::{
///     seq_file::SeqFile,
///     seq_print,
///     sync::{
///         atomic::{Atomic, Relaxed},
///         Arc,
///     },
///     uaccess::UserSliceReader,
/// };
/// use crate::abstractions::procfs::{Entry, ProcOperations};
///
/// /// Shows how many bytes have been written to it.
/// struct Total(Atomic<u64>);
///
/// impl ProcOperations for Total {
///     fn show(&self, file: &SeqFile) -> Result {
///         seq_print!(file, "{}\n", self.0.load(Relaxed));
///         Ok(())
///     }
///
///     fn write(&self, data: UserSliceReader) -> Result<usize> {
///         self.0.add(data.len() as u64, Relaxed);
///         Ok(data.len())
///     }
/// }
///
/// let total = Arc::new(Total(Atomic::new(0)), GFP_KERNEL)?;
/// let entry = Entry::new(c"total", 0o644, total)?;
/// # drop(entry);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The pointer is an entry from `proc_create_data()` that has not been removed, its data pointer
/// is that of `_state`, and it is removed by [`Drop`] alone.
pub(crate) struct Entry<T: ProcOperations> {
    entry: NonNull<bindings::proc_dir_entry>,
    // Dropped after `drop`, that is, when no call is in flight any more.
    _state: Arc<T>,
    // Declared last and dropped last.
    _alive: Alive,
}

// SAFETY: An entry belongs to no thread: `proc_remove()` may be called by any, and the state is
// `Send + Sync`.
unsafe impl<T: ProcOperations> Send for Entry<T> {}

// SAFETY: `&Entry` offers nothing.
unsafe impl<T: ProcOperations> Sync for Entry<T> {}

impl<T: ProcOperations> Entry<T> {
    /// Creates the file `/proc/NAME` with the permission bits `mode` (C takes none for 0444). May
    /// sleep. The file can be opened, and `state` be called, before this returns. C warns about a
    /// name that is taken, with a trace: a kernel that boots with `panic_on_warn` ends there.
    ///
    /// C: `proc_create_data()`.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a name that is empty, `.` or `..`, a number, longer than 255 bytes, or has a
    /// `/` in it, and for a mode with more than permission bits. `ENOMEM` if C returns no entry,
    /// also because the name is taken.
    pub(crate) fn new(name: &'static CStr, mode: u16, state: Arc<T>) -> Result<Self> {
        check_name(name.to_bytes())?;
        if mode & !0o777 != 0 {
            return Err(EINVAL);
        }
        // SAFETY: `OPS` is `'static`, `name` is a string that C copies, and a null parent is
        // /proc itself. The data pointer stays valid until the entry is removed, because `_state`
        // holds a reference until then.
        let entry = unsafe {
            bindings::proc_create_data(
                name.as_char_ptr(),
                mode,
                core::ptr::null_mut(),
                Vtable::<T>::OPS,
                Arc::as_ptr(&state).cast_mut().cast(),
            )
        };
        // INVARIANT: C returned a new entry, whose data pointer is that of `state`.
        Ok(Self {
            entry: NonNull::new(entry).ok_or(ENOMEM)?,
            _state: state,
            _alive: Alive::new(Kind::File, name),
        })
    }
}

/// Refuses what C would warn about, and a path. C takes a path, even below another file. With a
/// directory it removes all that is in it, so an entry could be removed twice.
fn check_name(name: &[u8]) -> Result {
    let is_a_process = name.iter().all(u8::is_ascii_digit);
    let is_path = name.contains(&b'/') || matches!(name, b"." | b"..");
    // An empty name has no byte that is not a digit.
    if is_a_process || is_path || name.len() > bindings::NAME_MAX as usize {
        return Err(EINVAL);
    }
    Ok(())
}

impl<T: ProcOperations> Drop for Entry<T> {
    /// Removes the file: waits for calls in flight, then closes it for all that have it open.
    /// Sleeps.
    ///
    /// C: `proc_remove()`.
    fn drop(&mut self) {
        // SAFETY: By the type invariants the entry is valid and removed here alone. When this
        // returns, no callback of `Vtable` runs or will run, so the state may go.
        unsafe { bindings::proc_remove(self.entry.as_ptr()) }
    }
}

struct Vtable<T: ProcOperations>(PhantomData<T>);

impl<T: ProcOperations> Vtable<T> {
    const OPS: &'static bindings::proc_ops = &bindings::proc_ops {
        proc_open: Some(Self::open),
        proc_read_iter: Some(bindings::seq_read_iter),
        proc_write: Some(Self::write),
        proc_lseek: Some(bindings::seq_lseek),
        proc_release: Some(bindings::single_release),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// `inode` must be that of an entry made by `Entry::<T>::new`, and `file` one that is being
    /// opened on it.
    unsafe extern "C" fn open(inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: C has stored the data of the entry in its inode, which is what the inline
        // function `pde_data()` reads. By this function's contract it is a valid `T`; it outlives
        // the open file, because C closes that before the entry is gone.
        unsafe { bindings::single_open(file, Some(Self::show), (*inode).i_private) }
    }

    /// # Safety
    ///
    /// `file` must be one that `Self::open` has set up.
    unsafe extern "C" fn show(file: *mut bindings::seq_file, _: *mut c_void) -> c_int {
        // SAFETY: `single_open()` has stored the data of the entry, a `T` that is valid until
        // after the last call.
        let state = unsafe { &*(*file).private.cast::<T>() };
        // SAFETY: C passes a valid `seq_file`, whose mutex it holds for the call.
        let file = unsafe { SeqFile::from_raw(file) };
        from_result(|| state.show(file).map(|()| 0).map_err(error_for_user))
    }

    /// # Safety
    ///
    /// `file` must be one that `Self::open` has set up, and `data` a user pointer, which need not
    /// be valid.
    unsafe extern "C" fn write(
        file: *mut bindings::file,
        data: *const c_char,
        count: usize,
        _pos: *mut bindings::loff_t,
    ) -> isize {
        // SAFETY: `single_open()` has made the file's private data a `seq_file`, whose private
        // data is a `T` that is valid until after the last call.
        let state = unsafe {
            let seq = (*file).private_data.cast::<bindings::seq_file>();
            &*(*seq).private.cast::<T>()
        };
        let data = UserSlice::new(UserPtr::from_ptr(data.cast_mut().cast()), count);
        from_result(|| {
            let taken = count_for_user(state.write(data.reader()), count)?;
            // CAST: C offers no more than fits.
            Ok(taken as isize)
        })
    }
}
