# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Finds reports in the kernel's log that no run may contain.

report_patterns=(
	'Kernel panic' 'Oops' 'kernel BUG at' 'Call [Tt]race:' 'general protection fault'
	# On arm64, which writes "Call trace:".
	'Unable to handle kernel' 'Internal error: '
	# BUG: KASAN, KFENCE, KCSAN, KMSAN, workqueue lockup, sleeping function,
	# scheduling while atomic, soft lockup; WARNING: of lockdep and ODEBUG
	'BUG:' 'WARNING:'
	'UBSAN:' 'kmemleak: [0-9]+ new' 'refcount_t: ' 'list_(add|del) corruption'
	'INFO: (task|rcu|trying to register)' 'blocked for more than' 'hard LOCKUP'
	'detected (expedited )?stall'
	# Use of a deprecated queue. A queue that is destroyed but never becomes empty, because an
	# item queues itself for ever.
	'(is|are) deprecated' "isn't complete after"
	# A module whose code would run after its removal (abstractions/alive.rs).
	'cannot be unloaded: still alive'
	# A checker has turned itself off.
	'ODEBUG disabled' 'turning off the locking correctness validator'
)

# kernel_reports: prints the first lines of trouble from the log on stdin. Reads to the end, because
# the writer would otherwise be killed, and the script with it.
#
# Our modules print user text in quotes, with inner quotes escaped. Ignores quoted text in their
# lines, up to the closing quote. A report that interrupts such a line is still found.
kernel_reports() {
	tr -d '\r' | without_faults_of_wqtest |
		sed -E '/^(\[[^]]*\] ?)*(wq_echo|workqueue_demo|lab): / s/"([^"\\]|\\.)*"/""/g' |
		{ grep -E "$(IFS='|'; echo "${report_patterns[*]}")" || true; } | sed -n '1,10p'
}

# A failing allocation may print a call trace, at most once in ten seconds. `wqtest fire` makes
# allocations fail and checks the results itself, so ignore that trace.
without_faults_of_wqtest() {
	awk '/^(\[[^]]*\] ?)*wqtest: (vmalloc error|page allocation failure): / { failed = 1 }
		failed && /Call [Tt]race:$/ { failed = 0; next }
		{ print }'
}

# zoo_part NAME: prints the part of specimen NAME from the log on stdin. The zoo marks where each
# specimen begins. The mark is included.
zoo_part() {
	awk -v mine="zoo: $1 begins" '
		/zoo: [a-z_0-9]+ begins\r?$/ { in_mine = index($0, mine) } in_mine'
}
