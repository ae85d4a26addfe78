// SPDX-License-Identifier: GPL-2.0

//! A reference comes back exactly when C says so. No other function can be asked, and no other type
//! can be an item.

#![allow(dead_code, unreachable_pub)]

#[allow(unused)]
#[path = "../../abstractions"]
mod abstractions {
    pub(crate) mod cancel;
}

use abstractions::cancel::CancelWork;

fn taken<W: CancelWork>(item: &W) -> Option<W::Pointer> {
    item.cancel()
}

extern "C" fn yes<R>(_: *mut R) -> bool {
    true
}

#[cfg(misuse)]
fn taken_without_leave<W: CancelWork>(item: &W) -> Option<W::Pointer> {
    item.take_back(yes::<W::Raw>) //~ E0599 no method named `take_back`
}

#[cfg(misuse)]
fn function_of<W: CancelWork>() {
    let _ = W::C.cancel; //~ E0616 field `cancel` of struct
}

struct NoItem;

#[cfg(misuse)]
impl CancelWork for NoItem {} //~ E0277 `NoItem: RawItem` is not satisfied
