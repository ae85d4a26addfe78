# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Finds in the kernel's log what no run may contain.

report_patterns=(
	'Kernel panic' 'Oops' 'BUG:' 'WARNING:' 'kernel BUG at' 'Call Trace:'
	'general protection fault' 'Unable to handle' 'unregister_netdevice: waiting'
	'INFO: (lockdep|task|trying to register|rcu|possible|suspicious|HARDIRQ)'
	'rcu: .*(detected|self-detected) (expedited )?stall' 'suspicious RCU usage'
	'(KASAN|KFENCE|KCSAN|KMSAN|UBSAN|ODEBUG|DEBUG_LOCKS_WARN_ON)\b' 'kmemleak: [0-9]+ new'
	'refcount_t: ' 'list_(add|del) corruption' 'blocked for more than'
	'soft lockup' 'hard LOCKUP' 'workqueue: .*(hogged|lockup|stall)'
	'(is|are) deprecated' 'workqueue: .*deprecat' 'segfault at' 'Out of memory'
)

# kernel_reports: prints the lines of the log on stdin that report trouble.
#
# Both modules print text of the user's in quotes, with the quotes in it escaped.
# What stands in quotes in such a line is passed over. Only there, and only to
# the closing quote: a report that cuts into such a line is still seen.
kernel_reports() {
	tr -d '\r' | sed -E '/^(\[[^]]*\] ?)*(wq_echo|workqueue_demo): / s/"([^"\\]|\\.)*"/""/g' |
		{ grep -E "$(IFS='|'; echo "${report_patterns[*]}")" || true; } |
		{ grep -vE "$harmless" || true; } | head -n 10
}

# Lines of a healthy boot that look like one of the above.
harmless='kfence: initialized|kmemleak: (Kernel memory leak detector|Automatic)'
harmless+='|rcu: .*(enabled|RCU CPU stall warnings)'
