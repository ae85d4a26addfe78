// SPDX-License-Identifier: GPL-2.0

//! Hole 20: a device is open when its module's init fails.
//!
//! C frees a module whose init fails, whoever uses it. A process that has the device open
//! closes it later, through functions that are gone. (Much later: a kernel with
//! CONFIG_DEBUG_KOBJECT_RELEASE takes up to 8 s to free a module.) Nothing here is unsafe.
//!
//! RUN insmod /device_is_open_when_init_fails.ko $FIXED &
//! RUN until [ -e /dev/zoo_early ]; do sleep 0.1; done
//! RUN sleep 14 >/dev/zoo_early; wait
//! EXPECT debian: BUG: unable to handle page fault for address: ffffffff
//! EXPECT debian: RIP: 0010:filp_flush
//! EXPECT kasan: BUG: KASAN: vmalloc-out-of-bounds in filp_flush

use kernel::{
    fs::File,
    miscdevice::{
        MiscDevice,
        MiscDeviceOptions,
        MiscDeviceRegistration, //
    },
    prelude::*,
    sync::Arc,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

#[allow(unused)]
#[path = "../abstractions"]
mod abstractions {
    pub(crate) mod alive;
    pub(crate) mod bindings;
    pub(crate) mod misc_device;
    pub(crate) mod user_result;
}

use abstractions::misc_device::{
    Bytes,
    Device,
    FileOperations,
    MayWaitFor, //
};

/// An open file of the device.
struct Null;

#[vtable]
impl MiscDevice for Null {
    type Ptr = KBox<Null>;

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<KBox<Null>> {
        Ok(KBox::new(Null, GFP_KERNEL)?)
    }
}

impl FileOperations for Null {
    fn write(&self, bytes: &mut impl Bytes, _: MayWaitFor) -> Result<usize> {
        Ok(bytes.len())
    }
}

/// The rest of the init.
fn start_hardware() -> Result {
    fsleep(Delta::from_millis(3000));
    Err(EIO)
}

fn broken() -> Result {
    let options = MiscDeviceOptions { name: c"zoo_early" };
    let _device = KBox::pin_init(
        MiscDeviceRegistration::<Null>::register(options),
        GFP_KERNEL,
    )?;
    // WRONG: the device can be opened by now, and nothing may fail any more.
    start_hardware()
}

fn fixed() -> Result {
    let state = Arc::new(Null, GFP_KERNEL)?;
    let _device = KBox::pin_init(Device::register(c"zoo_early", state), GFP_KERNEL)?;
    // Nobody can open the device before this init has returned.
    start_hardware()
}

module! {
    type: abstractions::alive::Guarded<Specimen>,
    name: "device_is_open_when_init_fails",
    authors: ["The workqueue-rs authors"],
    description: "Broken on purpose: a device is open when the init of its module fails",
    license: "GPL",
    params: {
        fixed: bool {
            default: false,
            description: "without the mistake",
        },
    },
}

struct Specimen;

impl kernel::Module for Specimen {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        if module_parameters::fixed.value() {
            fixed()?;
        } else {
            broken()?;
        }
        Ok(Self)
    }
}
