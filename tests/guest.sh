#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# guest.sh [KERNEL]: tests what scripts/qemu-run.sh promises of the guest: input, output, terminal,
# modules, demo. Prints KTAP. Leaves the output in build/guest/.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=tests/points.sh
. "$top/tests/points.sh"
kernel=${1:-debian}
out=$top/build/guest

points=(
	what_the_guest_needs_is_not_replaced
	what_is_added_lands_where_cp_would_put_it
	modprobe_knows_a_module_that_is_added
	what_is_fetched_is_what_was_there
	what_cannot_be_fetched_is_said
	what_is_fetched_is_not_mixed_with_what_is_piped_in
	all_of_the_input_arrives
	the_input_keeps_no_run_from_its_end
	modprobe_modinfo_and_lsmod_know_the_modules
	what_sudo_begins_is_run
	the_run_ends_where_the_reader_is_gone
	the_shell_follows_log_and_terminal
	no_console_keeps_the_log_off_the_terminal
	the_demo_comes_to_its_end
	the_tour_by_hand_prints_what_the_readme_shows
)
[[ $kernel != uml* ]] || points+=(where_seccomp_is_refused_one_line_says_so)

guest() { "$top/scripts/qemu-run.sh" --kernel "$kernel" --timeout 60 "$@"; }

prepare() {
	mkdir -p added/bin tree/etc/guest
	echo added >added/file
	cp added/file init
	cp added/file added/bin/busybox
	cp added/file tree/etc/guest/command
	mkfifo never
	# All byte values, in several pieces.
	for ((byte = 0; byte < 256; byte++)); do
		printf '%b' "\\x$(printf '%02x' "$byte")"
	done >bytes
	for ((copy = 0; copy < 300; copy++)); do
		cat bytes
	done >input
}

# refused PATH ADD...: fails unless `--add ADD` is refused because it would replace PATH
refused() {
	local own=$1 status=0
	shift
	timeout 10 "$top/scripts/qemu-run.sh" --add "$@" -- true >refused.log 2>&1 || status=$?
	if ((status != 2)) || ! grep -qF "would replace $own, which" refused.log; then
		cat refused.log
		fail "--add $*: status $status, and not refused for the sake of $own"
	fi
}

what_the_guest_needs_is_not_replaced() {
	prepare
	refused /init ./init
	refused /init ./init:init
	refused /init ./added/file:/etc/../init
	refused /init ./added:/init/added
	refused /init ./init:/
	refused /demo.sh ./init:/demo.sh
	refused /bin/busybox ./added/bin/busybox:/bin
	refused /bin/busybox ./added/bin
	refused /bin/busybox ./added/.:/
	refused /etc/guest ./tree/etc
	refused /etc/guest ./init:/etc/guest/mode
	refused /proc ./init:/proc/cmdline
}

# shellcheck disable=SC2016 # expanded by the guest's shell
# Runs what needs no special boot, all in one. The input never ends.
commands() {
	guest --no-load --add added/file --add added/file:/etc --add tree/.:/tree \
		--add added:/root -- '
		cat /file /etc/file /tree/etc/guest/command /root/added/file
		modinfo -F filename wq_echo; modinfo -F license workqueue_demo
		modprobe -a wq_echo workqueue_demo && lsmod
		echo "modprobe: $?"
		modprobe -r workqueue_demo; ls -1d /sys/module/w*
		sudo ls / >/dev/null && sudo A=b sh -c "echo \$A" && sudo -u root whoami
		sudo rmmod /lib/modules/wq_echo.ko; echo "rmmod: $?"
		sudo -u nobody true || echo "sudo: $?"' <>never >commands.out
}

what_is_added_lands_where_cp_would_put_it() {
	commands
	[[ $(grep -cx added commands.out) == 4 ]] || fail "$(cat commands.out)"
}

the_input_keeps_no_run_from_its_end() { grep -qx 'sudo: 1' commands.out; }

modprobe_modinfo_and_lsmod_know_the_modules() {
	grep -qE '^/lib/modules/7\.[^/]*/updates/wq_echo\.ko$' commands.out
	grep -qx GPL commands.out
	grep -qx 'modprobe: 0' commands.out
	grep -qE '^wq_echo +[0-9]+ +0 *$' commands.out
	grep -qE '^workqueue_demo +[0-9]+ +0 *$' commands.out
	grep -qx /sys/module/wq_echo commands.out
	[[ $(grep -cx /sys/module/workqueue_demo commands.out) == 0 ]]
}

what_sudo_begins_is_run() {
	grep -qx b commands.out
	grep -qx root commands.out
	grep -qx 'rmmod: 0' commands.out
}

modprobe_knows_a_module_that_is_added() {
	local built release
	# A key has ten digits: debian is not debian-cloud. The newest counts.
	# shellcheck disable=SC2012
	built=$(ls -t "$top/build/modules/kernel-$kernel-"??????????/wq_echo.ko | head -n 1)
	release=$(grep -aom 1 'vermagic=[^ ]*' "$built" | cut -d = -f 2)
	guest --no-modules --add "$built:/lib/modules/$release/more/wq_echo.ko" -- \
		'modprobe wq_echo && modinfo -F filename wq_echo' </dev/null >more.out
	grep -qx "/lib/modules/$release/more/wq_echo.ko" more.out
}

# shellcheck disable=SC2016 # expanded by the guest's shell
what_is_fetched_is_what_was_there() {
	local status=0
	[[ -e bytes ]] || prepare
	guest --no-load --add bytes:/root --get /root/bytes:fetched --get /root/empty \
		-- ': >empty; exit 3' </dev/null || status=$?
	((status == 3)) || fail "status $status"
	cmp bytes fetched
	[[ -e empty && ! -s empty ]] || fail "an empty file did not come"
}

# The guest asks for input as long as something may read it.
what_is_fetched_is_not_mixed_with_what_is_piped_in() {
	guest --no-load --get /bin/busybox:mixed -- true < <(yes)
	grep -q BusyBox mixed
}

what_cannot_be_fetched_is_said() {
	local status=0
	echo old >kept
	guest --no-load --get /root:kept --get /nothing -- true </dev/null 2>missing.log ||
		status=$?
	((status == 1)) || fail "status $status"
	grep -qx old kept || fail "what was there is gone"
	grep -q 'did not come: /root /nothing$' missing.log || fail "$(cat missing.log)"
}

all_of_the_input_arrives() {
	# The command waits, so that the script could send too much.
	guest -- 'sleep 1; cat; echo "status $?" >&2' <input >output
	cmp input output
}

the_run_ends_where_the_reader_is_gone() {
	local status=0
	guest -- yes </dev/null | head -n 1 >head.out || status=${PIPESTATUS[0]}
	[[ $(<head.out) == y ]] || fail "head has read: $(<head.out)"
	((status == 141)) || fail "status $status"
}

# terminal OPTION...: plays the steps on stdin in a guest's shell
terminal() {
	local status=0
	TRANSCRIPT=transcript PATIENCE=180 timeout 240 python3 "$top/tests/terminal.py" 33x77 \
		"$top/scripts/qemu-run.sh" --kernel "$kernel" --shell "$@" || status=$?
	((status == 0)) || {
		cat -v transcript
		exit 1
	}
}

the_shell_follows_log_and_terminal() {
	terminal <<'END'
expect wq_echo and workqueue_demo loaded. There is to try:
expect Ctrl-D ends the guest
expect #
send stty size\r
expect ^33 77
resize 44x111
send while [ "$(stty size)" != "44 111" ]; do usleep 10000; done; echo it "is"\r
expect ^it is
send dmesg -n 1\r
expect #
send echo "not on the console" > /dev/wq_echo\r
expect #
send until dmesg | grep -q "not on the"; do usleep 10000; done\r
expect #
send dmesg -n 8\r
expect #
send echo "on the console" > /dev/wq_echo\r
expect \[ *[0-9]+\.[0-9]+\] wq_echo: "on the console" \(len=14\)
silent wq_echo: "not on the console"
send dmesg -n 1; NO_COLOR=1 TERM=xterm wqtest watch\r
expect commands: [^\r\n]*
send \x03
expect #
silent \x1b\[\?1049h
send TERM=xterm wqtest watch\r
expect \x1b\[\?1049h
send \x03
expect \x1b\[\?1049l
send TERM=dumb wqtest watch\r
expect ^wqtest watch: anew each second
send \x03
expect #
send dmesg -w &\r
expect Linux version
expect wq_echo: "on the console" \(len=14\)
send echo "followed" > /dev/wq_echo\r
expect wq_echo: "followed" \(len=8\)
send kill %1; exit\r
end 0
END
}

no_console_keeps_the_log_off_the_terminal() {
	terminal --no-console --no-load <<'END'
expect modprobe -a wq_echo workqueue_demo
expect Ctrl-D ends the guest
expect #
send modprobe wq_echo; echo "silence" > /dev/wq_echo; rmmod wq_echo\r
send dmesg | grep -c sile\r
expect ^1
send exit\r
end 0
silent wq_echo: "silence"
silent as on a console
END
}

the_tour_by_hand_prints_what_the_readme_shows() {
	local page=$top/README.md
	guest --no-load -- "$("$top/tests/page.py" commands "$page" tour)" </dev/null >tour.out
	"$top/tests/page.py" compare "$page" tour <tour.out
}

the_demo_comes_to_its_end() {
	guest >demo.out
	grep -qx 'wrote 15 bytes: "william wq test"' demo.out
	grep -q '^Both modules are gone again' demo.out
}

# Makes a build folder whose kernel may not call seccomp(2), number 317.
where_seccomp_is_refused_one_line_says_so() {
	local kdir status=0
	kdir=$(realpath "$("$top/scripts/qemu-run.sh" --kernel "$kernel" --print-kdir)")
	mkdir refused
	find "$kdir" -mindepth 1 -maxdepth 1 ! -name linux -exec ln -s {} refused \;
	cat >refused/linux <<END
#!/usr/bin/python3
import ctypes, os, struct, sys
code = struct.pack("=HBBIHBBIHBBIHBBI", 0x20, 0, 0, 0, 0x15, 0, 1, 317,
                   0x06, 0, 0, 0x50001, 0x06, 0, 0, 0x7fff0000)
program = struct.pack("=H6xQ", 4, ctypes.addressof(buffer := ctypes.create_string_buffer(code)))
ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
if ctypes.CDLL(None).prctl(22, 2, program, 0, 0):
    sys.exit("no filter")
os.execv("$kdir/linux", sys.argv)
END
	chmod 755 refused/linux
	KDIR=$PWD/refused "$top/scripts/qemu-run.sh" --no-modules --timeout 60 \
		-- true >refused.out 2>&1 || status=$?
	cat refused.out
	((status == 1))
	[[ $(grep -vcE "^(==>| )" refused.out) == 1 ]]
	grep -q '^qemu-run.sh: User-mode Linux cannot run here: seccomp(2) is refused' refused.out
}

run_points "$out" "${points[@]}"
