// SPDX-License-Identifier: GPL-2.0

//! `kernel::bindings`, and what that lacks: bindgen makes it of `bindings_helper.h` for the kernel
//! that is built for, by way of `bindings.mk`.

#![allow(
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    non_upper_case_globals,
    unreachable_pub,
    unsafe_op_in_unsafe_fn
)]

include!(concat!(env!("ABSTRACTIONS_BINDINGS")));
