// SPDX-License-Identifier: GPL-2.0

//! `kernel::bindings`, and what that lacks: what bindgen makes of `bindings_helper.h` for the
//! kernel that is being built for. A Kbuild has it made by means of `bindings.mk`.

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
