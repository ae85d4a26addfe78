// SPDX-License-Identifier: GPL-2.0

//! Module parameters that can be set again, and be read and set in sysfs.
//!
//! A parameter of the `kernel` crate can be set once. If modprobe.d and the command line both name
//! it, the second one gets `EEXIST`. kmod takes that for "loaded already", and nothing is loaded.
//! Here, as in C, the last value wins.
//!
//! C header: [`include/linux/moduleparam.h`](srctree/include/linux/moduleparam.h)

use core::ptr;

use kernel::{
    bindings,
    error::from_result,
    fmt,
    module_param::{
        KernelParam,
        ModuleParam, //
    },
    prelude::*,
    str::{
        as_char_ptr_in_const_context,
        BStr, //
    },
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    }, //
};

/// A type that a parameter may have: what [`ModuleParam`] parses, and how it is kept and shown.
///
/// # Examples
///
/// A choice between names:
///
/// ```
/// use kernel::{fmt, module_param::ModuleParam, str::BStr};
/// use crate::abstractions::module_param::Value;
///
/// #[derive(Clone, Copy)]
/// enum Speed {
///     Slow,
///     Fast,
/// }
///
/// impl ModuleParam for Speed {
///     fn try_from_param_arg(text: &BStr) -> Result<Self> {
///         match &**text {
///             b"slow" => Ok(Self::Slow),
///             b"fast" => Ok(Self::Fast),
///             _ => Err(EINVAL),
///         }
///     }
/// }
///
/// impl Value for Speed {
///     fn to_bits(self) -> u64 {
///         self as u64
///     }
///
///     fn from_bits(bits: u64) -> Self {
///         if bits == Self::Slow as u64 {
///             Self::Slow
///         } else {
///             Self::Fast
///         }
///     }
///
///     fn show(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         f.write_str(match self {
///             Self::Slow => "slow",
///             Self::Fast => "fast",
///         })
///     }
/// }
/// ```
pub(crate) trait Value: ModuleParam + Send + Sync + 'static {
    /// What the name alone stands for, without `=` and a value. `None`: it is refused.
    const WITHOUT_VALUE: Option<Self> = None;

    /// The value as a number.
    fn to_bits(self) -> u64;

    /// The value of a number that [`to_bits`](Self::to_bits) has made.
    fn from_bits(bits: u64) -> Self;

    /// How sysfs shows it, without a line end. Does not sleep.
    fn show(self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// As C's `bool`: set by the name alone, shown as `Y` or `N`.
impl Value for bool {
    const WITHOUT_VALUE: Option<Self> = Some(true);

    fn to_bits(self) -> u64 {
        self.into()
    }

    fn from_bits(bits: u64) -> Self {
        bits != 0
    }

    fn show(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self { "Y" } else { "N" })
    }
}

macro_rules! impl_integer_value {
    ($($type:ty)*) => {$(
        // One way for all of them.
        #[allow(clippy::cast_lossless)]
        impl Value for $type {
            fn to_bits(self) -> u64 {
                // CAST: `from_bits` undoes it.
                self as u64
            }

            fn from_bits(bits: u64) -> Self {
                // CAST: As above.
                bits as $type
            }

            fn show(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    )*};
}
impl_integer_value!(i8 u8 i16 u16 i32 u32 i64 u64 isize usize);

/// A parameter of the module: [`module_params!`] makes one.
///
/// It is set when the module is loaded, in the order of the command line, and whenever somebody
/// writes to its file in sysfs: before the module's init, while it runs, and until its memory goes.
///
/// # Examples
///
/// A part of a driver that is told which parameter to look at:
///
/// ```
/// use crate::abstractions::module_param::Param;
///
/// struct Logger {
///     verbose: &'static Param<bool>,
/// }
///
/// impl Logger {
///     fn log(&self, text: &str) {
///         if self.verbose.get() {
///             pr_info!("{text}\n");
///         }
///     }
/// }
/// ```
pub(crate) struct Param<T: Value> {
    default: T,
    /// Whether `bits` holds a value.
    is_set: Atomic<bool>,
    bits: Atomic<u64>,
}

impl<T: Value> Param<T> {
    /// A parameter that has not been set.
    pub(crate) const fn new(default: T) -> Self {
        Self {
            default,
            is_set: Atomic::new(false),
            bits: Atomic::new(0),
        }
    }

    /// The value that was set last. Any context; does not sleep. Two calls may differ if the
    /// parameter can be written to: for what has to agree, read it once.
    pub(crate) fn get(&self) -> T {
        if self.is_set.load(Acquire) {
            T::from_bits(self.bits.load(Relaxed))
        } else {
            self.default
        }
    }

    /// Sets the parameter to what a user has written, or to what the name alone stands for.
    /// A line end behind the value is not part of it. Any context.
    ///
    /// # Errors
    ///
    /// Those of [`ModuleParam::try_from_param_arg`]; `EINVAL` without a value where one is needed.
    /// The parameter keeps its value then.
    pub(crate) fn set(&self, text: Option<&BStr>) -> Result {
        let value = match text {
            Some(text) => {
                let line = text.strip_suffix(b"\n").unwrap_or(text);
                T::try_from_param_arg(BStr::from_bytes(line))?
            }
            None => T::WITHOUT_VALUE.ok_or(EINVAL)?,
        };
        self.bits.store(value.to_bits(), Relaxed);
        self.is_set.store(true, Release);
        Ok(())
    }

    /// What C is told of the parameter: [`module_params!`] puts it where C looks for it.
    pub(crate) const fn describe(
        &'static self,
        name: &'static CStr,
        module: &ThisModule,
        mode: u16,
    ) -> KernelParam {
        KernelParam::new(bindings::kernel_param {
            name: as_char_ptr_in_const_context(name),
            mod_: module.as_ptr(),
            ops: Callbacks::<T>::OPS,
            perm: verified(mode),
            level: -1,
            flags: 0,
            __bindgen_anon_1: bindings::kernel_param__bindgen_ty_1 {
                // INVARIANT: `arg` is a `Param<T>` that lives as long as the module, and so as
                // long as C calls the functions of `Callbacks<T>`.
                arg: ptr::from_ref(self).cast_mut().cast(),
            },
        })
    }
}

/// Fails to compile if these are no permission bits, or senseless ones: a group may read or write
/// no more than the owner, others read no more than the group, and others never write.
///
/// C: `VERIFY_OCTAL_PERMISSIONS()`.
const fn verified(mode: u16) -> u16 {
    let (owner, group, others) = (mode >> 6, mode >> 3 & 7, mode & 7);
    assert!(mode <= 0o777, "more than permission bits");
    assert!(
        owner & 4 >= group & 4 && group & 4 >= others & 4,
        "others may read what the group, or the group what the owner may not"
    );
    assert!(
        owner & 2 >= group & 2,
        "the group may write what the owner may not"
    );
    assert!(others & 2 == 0, "others may write");
    mode
}

/// A parameter's value, as sysfs shows it.
#[cfg(CONFIG_SYSFS)]
struct Shown<T>(T);

#[cfg(CONFIG_SYSFS)]
impl<T: Value> fmt::Display for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f)
    }
}

struct Callbacks<T>(T);

impl<T: Value> Callbacks<T> {
    const OPS: &'static bindings::kernel_param_ops = &bindings::kernel_param_ops {
        flags: match T::WITHOUT_VALUE {
            Some(_) => bindings::KERNEL_PARAM_OPS_FL_NOARG,
            None => 0,
        },
        set: Some(Self::set),
        #[cfg(CONFIG_SYSFS)]
        get: Some(Self::get),
        // Nobody would call it.
        #[cfg(not(CONFIG_SYSFS))]
        get: None,
        free: None,
    };

    /// # Safety
    ///
    /// `param` must be one that `Param::<T>::describe` has made, and `text` a C string or null.
    unsafe extern "C" fn set(text: *const c_char, param: *const bindings::kernel_param) -> c_int {
        // SAFETY: By this function's contract; C keeps the string for the call.
        let text = (!text.is_null()).then(|| unsafe { CStr::from_char_ptr(text) });
        // SAFETY: By this function's contract `arg` is a `Param<T>` (see the invariant there).
        let param = unsafe { &*(*param).__bindgen_anon_1.arg.cast::<Param<T>>() };
        from_result(|| {
            param.set(text.map(AsRef::as_ref))?;
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// `param` must be one that `Param::<T>::describe` has made, and `buffer` a page of sysfs's.
    #[cfg(CONFIG_SYSFS)]
    unsafe extern "C" fn get(buffer: *mut c_char, param: *const bindings::kernel_param) -> c_int {
        // SAFETY: As in `set`.
        let param = unsafe { &*(*param).__bindgen_anon_1.arg.cast::<Param<T>>() };
        let shown = Shown(param.get());
        // SAFETY: By this function's contract the buffer is a page, which is what `sysfs_emit()`
        // writes to at most. The format wants what is passed: a pointer to `fmt::Arguments`,
        // which is valid until the call returns.
        unsafe {
            bindings::sysfs_emit(
                buffer,
                c"%pA\n".as_char_ptr(),
                ptr::from_ref(&fmt!("{shown}")).cast::<c_void>(),
            )
        }
    }
}

/// Declares the parameters of the module, each as a static [`Param`] in a module `parameters`: for
/// each its name, type, default, permission bits in sysfs (0: not to be seen there) and
/// description.
///
/// Once in a crate, which has a `module!`.
///
/// C: `module_param_cb()`, `MODULE_PARM_DESC()`.
///
/// # Examples
///
/// ```
/// use crate::abstractions::module_param::module_params;
///
/// module_params! {
///     depth: u32 = 16, 0o444, "How many requests are under way at most";
///     verbose: bool = false, 0o644, "Log each request";
/// }
///
/// if parameters::verbose.get() {
///     pr_info!("{} requests at most\n", parameters::depth.get());
/// }
/// ```
macro_rules! module_params {
    ($($name:ident: $type:ty = $default:expr, $mode:expr, $description:literal;)*) => {
        /// The module's parameters.
        #[allow(non_upper_case_globals, unused_imports)]
        mod parameters {
            use super::*;

            $(
                #[doc = $description]
                pub(crate) static $name: $crate::abstractions::module_param::Param<$type> =
                    $crate::abstractions::module_param::Param::new($default);
            )*
        }

        $(
            const _: () = {
                // C finds it by this name, or by its second half where the module is loaded.
                const NAME: &::kernel::str::CStr =
                    match ::kernel::str::CStr::from_bytes_with_nul(
                        $crate::abstractions::module_param::joined!(
                            $crate::abstractions::module_param::prefix(MODULE)[0],
                            $crate::abstractions::module_param::prefix(MODULE)[1],
                            ::core::stringify!($name),
                        )
                    ) {
                        Ok(name) => name,
                        Err(_) => panic!("a NUL within a name"),
                    };
                const MODULE: &::kernel::str::CStr =
                    <crate::LocalModule as ::kernel::ModuleMetadata>::NAME;

                #[link_section = "__param"]
                #[used(compiler)]
                static DESCRIPTION: ::kernel::module_param::KernelParam =
                    parameters::$name.describe(
                        NAME,
                        &<crate::LocalModule as ::kernel::ModuleMetadata>::THIS_MODULE,
                        $mode,
                    );

                $crate::abstractions::module_param::module_info!(
                    MODULE, "parmtype=", ::core::stringify!($name), ":", ::core::stringify!($type)
                );
                $crate::abstractions::module_param::module_info!(
                    MODULE, "parm=", ::core::stringify!($name), ":", $description
                );
            };
        )*
    };
}
pub(crate) use module_params;

/// Puts a line where modinfo(8) finds it. The line is joined from texts.
///
/// C: `MODULE_INFO()`.
///
/// # Examples
///
/// ```
/// use crate::abstractions::module_param::module_info;
///
/// module_info!(c"my_driver", "firmware=", "my_driver/v1.bin");
/// ```
macro_rules! module_info {
    ($module:expr, $($part:expr),+ $(,)?) => {
        const _: () = {
            const LINE: &[u8] = $crate::abstractions::module_param::joined!(
                $crate::abstractions::module_param::prefix($module)[0],
                $crate::abstractions::module_param::prefix($module)[1],
                $($part),+
            );

            #[link_section = ".modinfo"]
            #[used(compiler)]
            static PLACED: [u8; LINE.len()] = *LINE.first_chunk().unwrap();
        };
    };
}
pub(crate) use module_info;

/// Joins texts at compile time, with a NUL behind them: a `&'static [u8]`.
///
/// # Examples
///
/// ```
/// use crate::abstractions::module_param::joined;
///
/// const NAME: &[u8] = joined!("queue", "_", "depth");
/// # let _ = NAME;
/// ```
macro_rules! joined {
    ($($part:expr),+ $(,)?) => {{
        const PARTS: &[&str] = &[$($part),+];
        const LEN: usize = $crate::abstractions::module_param::joined_len(PARTS);
        &$crate::abstractions::module_param::joined_bytes::<LEN>(PARTS)
    }};
}
pub(crate) use joined;

/// How many bytes [`joined!`] makes of these texts.
///
/// # Examples
///
/// ```
/// use crate::abstractions::module_param::joined_len;
///
/// const LEN: usize = joined_len(&["queue", "_", "depth"]); // 12
/// # let _ = LEN;
/// ```
pub(crate) const fn joined_len(parts: &[&str]) -> usize {
    let mut len = 1;
    let mut part = 0;
    while part < parts.len() {
        len += parts[part].len();
        part += 1;
    }
    len
}

/// What [`joined!`] makes of these texts, of which there are `LEN` bytes.
///
/// # Examples
///
/// ```
/// use crate::abstractions::module_param::joined_bytes;
///
/// const NAME: [u8; 12] = joined_bytes(&["queue", "_", "depth"]);
/// # let _ = NAME;
/// ```
pub(crate) const fn joined_bytes<const LEN: usize>(parts: &[&str]) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    let (mut end, mut part) = (0, 0);
    while part < parts.len() {
        let text = parts[part].as_bytes();
        let mut at = 0;
        while at < text.len() {
            bytes[end] = text[at];
            (end, at) = (end + 1, at + 1);
        }
        part += 1;
    }
    bytes
}

/// The prefix of a parameter's name and of a line of modinfo: for a built-in module its name and a
/// dot.
///
/// # Examples
///
/// ```
/// use crate::abstractions::module_param::prefix;
///
/// const NOTHING: [&str; 2] = prefix(c"my_driver");
/// # let _ = NOTHING;
/// ```
pub(crate) const fn prefix(module: &'static CStr) -> [&'static str; 2] {
    match module.to_str() {
        _ if cfg!(MODULE) => ["", ""],
        Ok(module) => [module, "."],
        Err(_) => panic!("a name that is not UTF-8"),
    }
}
