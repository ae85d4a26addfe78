# SPDX-License-Identifier: GPL-2.0
#
# For a Kbuild whose modules use procfs.rs, which this file stands beside:
#
#	procfs-users := my_driver.o
#	include $(src)/abstractions/procfs.mk
#
# What `kernel::bindings` lacks is generated from the headers of the kernel that
# is being built for, with the options that rust/Makefile uses for its own.

procfs-helper := $(dir $(lastword $(MAKEFILE_LIST)))procfs_helper.h
procfs-bindings := $(obj)/abstractions/procfs_bindings.rs

# An absolute path, for include!() looks beside the source, and the source need
# not be where the objects are.
$(addprefix $(obj)/,$(procfs-users)): export PROCFS_BINDINGS = $(abspath $(procfs-bindings))
$(addprefix $(obj)/,$(procfs-users)): $(procfs-bindings)
targets += abstractions/procfs_bindings.rs
clean-files += abstractions/procfs_bindings.rs

# bindgen is clang: where the kernel is built with gcc, leave out what clang
# does not know. None of it changes the layout of a type.
ifdef CONFIG_CC_IS_CLANG
bindgen-c-flags = $(c_flags)
else
bindgen-c-flags = $(filter-out -f% -m% --param=% -W%,$(c_flags)) \
	$(filter -fshort-wchar -funsigned-char -fms-% -m64 -m32,$(c_flags)) -w
endif

quiet_cmd_procfs_bindings = BINDGEN $@
      cmd_procfs_bindings = mkdir -p $(dir $@); \
	$(BINDGEN) $< --use-core --ctypes-prefix ffi --no-layout-tests \
		--with-derive-default --no-debug '.*' --rust-target 1.85 \
		--no-recursive-allowlist --enable-function-attribute-detection \
		--allowlist-type proc_ops --allowlist-type proc_dir_entry \
		--allowlist-function 'proc_create_data|proc_remove' \
		--with-derive-custom-struct '.*=MaybeZeroable' \
		--raw-line 'pub use kernel::bindings::*;' --raw-line 'use kernel::ffi;' \
		--raw-line 'use pin_init::MaybeZeroable;' \
		-o $@ -- $(bindgen-c-flags) -fno-builtin -D__BINDGEN__ -DMODULE

$(procfs-bindings): $(procfs-helper) FORCE
	$(call if_changed,procfs_bindings)
