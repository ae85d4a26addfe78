# SPDX-License-Identifier: GPL-2.0
#
# For a Kbuild whose modules use bindings.rs, which this file stands beside:
#
#	bindings-users := my_driver.o
#	include $(src)/abstractions/bindings.mk
#
# What `kernel::bindings` lacks is generated from the headers of the kernel that
# is being built for, with the options that rust/Makefile uses for its own.

bindings-helper := $(dir $(lastword $(MAKEFILE_LIST)))bindings_helper.h
bindings-generated := $(obj)/abstractions/bindings_generated.rs

# An absolute path, for include!() looks beside the source, and the source need
# not be where the objects are.
$(addprefix $(obj)/,$(bindings-users)): export ABSTRACTIONS_BINDINGS = $(abspath $(bindings-generated))
$(addprefix $(obj)/,$(bindings-users)): $(bindings-generated)
targets += abstractions/bindings_generated.rs
clean-files += abstractions/bindings_generated.rs

# bindgen is clang, which takes the machine that it runs on for the one that is built for: where
# the kernel is built with gcc, say what gcc builds for, and leave out what clang does not know.
# None of that changes the layout of a type.
ifdef CONFIG_CC_IS_CLANG
bindgen-c-flags = $(c_flags)
else
bindgen-c-flags = $(filter-out -f% -m% --param=% -W%,$(c_flags)) \
	$(filter -fshort-wchar -funsigned-char -fms-% -m64 -m32 -Wp%,$(c_flags)) -w \
	--target=$(shell $(CC) -dumpmachine)
endif

quiet_cmd_bindings_generated = BINDGEN $@
      cmd_bindings_generated = mkdir -p $(dir $@); \
	$(BINDGEN) $< --use-core --ctypes-prefix ffi --no-layout-tests \
		--with-derive-default --no-debug '.*' --rust-target 1.85 \
		--no-recursive-allowlist --enable-function-attribute-detection \
		--allowlist-type proc_ops --allowlist-type proc_dir_entry \
		--allowlist-function 'proc_create_data|proc_remove' \
		--allowlist-var 'ABSTRACTIONS_.*' \
		--with-derive-custom-struct '.*=MaybeZeroable' \
		--raw-line '$(pound)[doc(no_inline)] pub use kernel::bindings::*;' --raw-line 'use kernel::ffi;' \
		--raw-line 'use pin_init::MaybeZeroable;' \
		-o $@ -- $(bindgen-c-flags) -fno-builtin -D__BINDGEN__ -DMODULE

$(bindings-generated): $(bindings-helper) FORCE
	$(call if_changed_dep,bindings_generated)
