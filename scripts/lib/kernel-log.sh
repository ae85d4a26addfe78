# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Finds in the kernel's log what no run may contain.

report_patterns=(
	'Kernel panic' 'Oops' 'kernel BUG at' 'Call [Tt]race:' 'general protection fault'
	# On arm64, where a trace is a "Call trace:".
	'Unable to handle kernel' 'Internal error: '
	# BUG: KASAN, KFENCE, KCSAN, KMSAN, workqueue lockup, sleeping function,
	# scheduling while atomic, soft lockup; WARNING: of lockdep and ODEBUG
	'BUG:' 'WARNING:'
	'UBSAN:' 'kmemleak: [0-9]+ new' 'refcount_t: ' 'list_(add|del) corruption'
	'INFO: (task|rcu|trying to register)' 'blocked for more than' 'hard LOCKUP'
	'detected (expedited )?stall'
	# A queue that the kernel wants nobody to use any more; one that is destroyed and
	# does not become empty, which is how an item shows that queues itself for ever.
	'(is|are) deprecated' "isn't complete after"
	# A module whose code would be run when it has gone (abstractions/alive.rs).
	'cannot be unloaded: still alive'
	# Whoever looks for mistakes has stopped.
	'ODEBUG disabled' 'turning off the locking correctness validator'
)

# kernel_reports: prints the first lines of the log on stdin that report trouble. Reads
# all of it, or what writes it would be killed, and the script with that.
#
# Both modules print text of the user's in quotes, with the quotes in it escaped.
# What stands in quotes in such a line is passed over. Only there, and only to
# the closing quote: a report that cuts into such a line is still seen.
kernel_reports() {
	tr -d '\r' | without_faults_of_wqtest |
		sed -E '/^(\[[^]]*\] ?)*(wq_echo|workqueue_demo|lab): / s/"([^"\\]|\\.)*"/""/g' |
		{ grep -E "$(IFS='|'; echo "${report_patterns[*]}")" || true; } | sed -n '1,10p'
}

# An allocation that fails may say so, with a trace of the calls that led to it; at
# most one in ten seconds does. `wqtest fire` lets allocations fail, and looks at
# what comes of it itself. Only the trace that follows is passed over.
without_faults_of_wqtest() {
	awk '/^(\[[^]]*\] ?)*wqtest: (vmalloc error|page allocation failure): / { failed = 1 }
		failed && /Call [Tt]race:$/ { failed = 0; next }
		{ print }'
}

# zoo_part NAME: of a log on stdin in which the zoo marks where a specimen begins, the
# part of specimen NAME, the mark included
zoo_part() {
	awk -v mine="zoo: $1 begins" '
		/zoo: [a-z_0-9]+ begins\r?$/ { in_mine = index($0, mine) } in_mine'
}
