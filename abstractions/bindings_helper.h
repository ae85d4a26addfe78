/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What `kernel::bindings` lacks and the files beside this one need. Kbuild runs
 * bindgen on this, against the kernel that is being built for.
 */
#include <linux/proc_fs.h>
