#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests what `make rust-analyzer` promises, with Debian's rust-analyzer. Runs it as an editor does:
# outside the root, without compilers in PATH. Prints KTAP.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"
# shellcheck source=tests/points.sh
. "$top/tests/points.sh"

out=$top/build/rust-analyzer-test

points=(
	a_module_of_ones_own_is_understood
	a_mistake_in_it_is_found
	the_project_names_what_is_there
	tools_of_a_root_that_is_gone_say_so
	the_whole_set_up_is_announced
)

main() {
	local entry
	cache_init
	run_dir_init
	root_find
	entry=rust-analyzer-$root_key
	prepare_kernel debian
	join_kernel
	step "taking rust-analyzer" rust-analyzer cached "$entry" rust_analyzer_make
	run_points "$out" "${points[@]}"
}

# rust_analyzer_make DIR: takes the version of the root's compiler, because it uses that compiler's
# libraries
rust_analyzer_make() {
	local version
	version=$(sed -n '/^Package: rustc$/,/^$/s/^Version: //p' "$root/var/lib/dpkg/status")
	debian_unpack "$1" "rust-analyzer=$version"
}

# rust_analyzer ARG...: runs it with the root's loader, because this machine's may be older
rust_analyzer() {
	local libraries
	libraries=$root/usr/lib/$(triplet "$host_arch")
	env -i HOME="$out" PATH=/usr/bin:/bin timeout 300 \
		"$libraries/$(program_loader "$host_arch")" \
		--library-path "$libraries" "$cache/$entry/usr/bin/rust-analyzer" "$@"
}

# project DIR: writes DIR/rust-project.json
project() { make -C "$top" --no-print-directory rust-analyzer MODULE="$1"; }

# Writes a module that is right only if module!() and #[pin_data] are expanded.
write_module() {
	mkdir -p "$1"
	echo 'obj-m += mine.o' >"$1/Kbuild"
	cat >"$1/mine.rs" <<'END'
//! A module of somebody's own.

use kernel::{new_mutex, prelude::*, sync::Mutex};

module! {
    type: Mine,
    name: "mine",
    authors: ["somebody"],
    description: "Uses what the macros make",
    license: "GPL",
}

#[pin_data]
struct State {
    #[pin]
    count: Mutex<u32>,
    name: &'static str,
}

impl State {
    fn name(self: Pin<&mut Self>) -> usize {
        self.project().name.len() + __LOG_PREFIX.len()
    }
}

struct Mine {
    _state: Pin<KBox<State>>,
}

impl kernel::Module for Mine {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let state = pin_init!(State { count <- new_mutex!(0), name: "mine" });
        let mut state = KBox::pin_init(state, GFP_KERNEL)?;
        pr_info!("{}\n", State::name(state.as_mut()));
        Ok(Mine { _state: state })
    }
}
END
}

# errors DIR: prints the errors it finds there
errors() { rust_analyzer diagnostics "$1" | grep '^Error ' || true; }

a_module_of_ones_own_is_understood() {
	local found
	write_module mine
	project "$out/mine"
	found=$(errors mine)
	[[ -z $found ]] || fail "$found"
}

# Otherwise an unread module would pass.
a_mistake_in_it_is_found() {
	sed -i 's/self.project().name/self.project().nam/' mine/mine.rs
	errors mine | tee found
	grep -q E0559 found && [[ $(wc -l <found) == 1 ]]
}

the_project_names_what_is_there() {
	make -C "$top" --no-print-directory rust-analyzer
	python3 - "$top" <<'END'
import json, os, sys

project = json.load(open(sys.argv[1] + "/rust-project.json"))
paths = [project["sysroot"] + "/libexec/rust-analyzer-proc-macro-srv"]
for crate in project["crates"]:
    paths += [crate["root_module"], crate.get("proc_macro_dylib_path", "/")]
    if crate["is_workspace_member"]:
        paths += [crate["env"]["ABSTRACTIONS_BINDINGS"], *crate["source"]["include_dirs"]]
missing = [path for path in paths if not os.path.exists(path)]
mine = {crate["display_name"] for crate in project["crates"] if crate["is_workspace_member"]}
assert not missing, missing
assert {"wq_echo", "workqueue_demo"} <= mine and "kernel" not in mine, mine
END
}

tools_of_a_root_that_is_gone_say_so() {
	local said
	! said=$("$top/scripts/root-tool.sh" "$cache" "$out/gone" rustc --version 2>&1) || return 1
	grep "gone is gone: run 'make rust-analyzer' again" <<<"$said"
}

# Checks the first second. Without a network the rest would take minutes to fail.
the_whole_set_up_is_announced() {
	local said
	said=$(XDG_CACHE_HOME=$out/cache unshare --map-root-user --net \
		make -C "$top" --no-print-directory rust-analyzer 2>&1) || true
	grep -m 1 . <<<"$said" | grep "the whole set-up comes first, .*: $cache_size GB"
}

main "$@"
