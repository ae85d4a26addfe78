/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What `kernel::bindings` lacks and the files beside this one need. Kbuild runs
 * bindgen on this, against the kernel that is being built for.
 */
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/proc_fs.h>

/* Macros with casts in them, of which bindgen makes constants only in this way. */
const fmode_t ABSTRACTIONS_FMODE_NOWAIT = FMODE_NOWAIT;
const int ABSTRACTIONS_IOCB_NOWAIT = IOCB_NOWAIT;
const __poll_t ABSTRACTIONS_EPOLLOUT = EPOLLOUT | EPOLLWRNORM;
