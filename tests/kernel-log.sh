#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Reads pieces of kernel logs. Reports each piece in which trouble is missed, or found where there
# is none.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/kernel-log.sh
. "$top/scripts/lib/kernel-log.sh"

status=0

# reports NAME EXPECTED: checks which lines on stdin are reported
reports() {
	local found
	found=$(kernel_reports)
	[[ $found == "$2" ]] && return
	printf '%s:\n  expected: %s\n  found: %s\n' "$1" "$2" "$found"
	status=1
}

reports 'what is no trouble' '' <<'END'
[    0.000000] Linux version 7.3.4
[    1.234567] wq_echo: "william wq test" (len=15)
END

reports 'a warning' '[    1.234567] WARNING: kernel/workqueue.c:1 at f+0x1/0x2' <<'END'
[    1.234567] WARNING: kernel/workqueue.c:1 at f+0x1/0x2
END

reports 'a queue that does not become empty' \
	"[   11.234567] workqueue zoo: drain_workqueue() isn't complete after 10 tries" <<'END'
[   11.234567] workqueue zoo: drain_workqueue() isn't complete after 10 tries
END

reports 'a module that cannot be unloaded' \
	'[    6.285290] workqueue_demo: cannot be unloaded: still alive: item "", item "" and 3 more' <<'END'
[    6.285290] workqueue_demo: cannot be unloaded: still alive: item "immediate", item "poll" and 3 more
[    7.285290] workqueue_demo: can be unloaded: nothing is alive any more
END

reports 'that nobody looks any more' '[    9.000000] ODEBUG: Out of memory. ODEBUG disabled' <<'END'
[    9.000000] ODEBUG: Out of memory. ODEBUG disabled
END

reports 'trouble that a user writes' '' <<'END'
[    1.234567] wq_echo: "BUG: \"Oops\" Call Trace:" (len=22)
END

reports 'trouble in the middle of such a line' '[    1.234567] wq_echo: "BUG: kernel BUG at x' <<'END'
[    1.234567] wq_echo: "BUG: kernel BUG at x
END

reports 'an allocation that wqtest lets fail' '' <<'END'
[  192.427723] wqtest: vmalloc error: size 409864, align 0x1, vm_struct allocation failed, mode:0xcc0(GFP_KERNEL), nodemask=(null)
[  192.428971] CPU: 1 UID: 0 PID: 3512 Comm: wqtest Tainted: G           O     N  7.3.4 #1 PREEMPT
[  192.429368] Call Trace:
[  192.429457]  <TASK>
END

reports 'trouble behind that' '[  193.000000] Call Trace:' <<'END'
[  192.427723] wqtest: page allocation failure: order:0, mode:0xcc0(GFP_KERNEL), nodemask=(null)
[  192.429368] Call Trace:
[  193.000000] Call Trace:
END

reports 'trouble between the two' '[  192.428000] BUG: KASAN: slab-use-after-free in f+0x1/0x2' <<'END'
[  192.427723] wqtest: page allocation failure: order:0, mode:0xcc0(GFP_KERNEL), nodemask=(null)
[  192.428000] BUG: KASAN: slab-use-after-free in f+0x1/0x2
[  192.429368] Call Trace:
END

reports 'an allocation that fails elsewhere' '[  192.429368] Call Trace:' <<'END'
[  192.427723] kworker/u8:1: page allocation failure: order:0, mode:0xcc0(GFP_KERNEL), nodemask=(null)
[  192.429368] Call Trace:
END

reports 'an allocation that wqtest lets fail, on arm64' '' <<'END'
[  192.427723] wqtest: page allocation failure: order:0, mode:0xcc0(GFP_KERNEL), nodemask=(null)
[  192.429368] Call trace:
[  192.429457]  show_stack+0x20/0x38 (C)
END

reports 'a trace on arm64' '[  193.000000] Call trace:' <<'END'
[  193.000000] Call trace:
[  193.000100]  show_stack+0x20/0x38 (C)
END

many=$(seq -f 'BUG: %.0f' 50000)
reports 'a lot of trouble' "$(seq -f 'BUG: %.0f' 10)" <<<"$many"

# part NAME EXPECTED: checks the part of specimen NAME in the log on stdin
part() {
	local found
	found=$(zoo_part "$1")
	[[ $found == "$2" ]] && return
	printf 'the part of %s:\n  expected: %s\n  found: %s\n' "$1" "$2" "$found"
	status=1
}

zoo_log='[    5.000000] Run /init as init process
[    6.000000] zoo: broken begins
[    6.100000] broken: loading out-of-tree module taints kernel.
[    6.200000] BUG: KASAN: slab-use-after-free in f+0x1/0x2
[    7.000000] zoo: broken_too begins
[    7.200000] WARNING: kernel/workqueue.c:1 at f+0x1/0x2
zoo: broken begins
said by the guest'

part broken '[    6.000000] zoo: broken begins
[    6.100000] broken: loading out-of-tree module taints kernel.
[    6.200000] BUG: KASAN: slab-use-after-free in f+0x1/0x2
zoo: broken begins
said by the guest' <<<"$zoo_log"

part broken_too '[    7.000000] zoo: broken_too begins
[    7.200000] WARNING: kernel/workqueue.c:1 at f+0x1/0x2' <<<"$zoo_log"

part fixed '' <<<"$zoo_log"

exit $status
