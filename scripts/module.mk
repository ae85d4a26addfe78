# SPDX-License-Identifier: GPL-2.0
#
# Makefile targets for a user's own module, in a folder made by scripts/new-module.sh. The folder's
# Makefile sets WORKQUEUE_RS to this tree and includes this file. Each target calls a script. The
# folder's Kbuild says what is built.

export KDIR KERNEL

module := @bash $(WORKQUEUE_RS)/scripts/module.sh

all modules:
	$(module) build

run:
	$(module) run

shell:
	$(module) shell

test:
	$(module) test

check:
	$(module) check

rust-analyzer:
	$(module) rust-analyzer

clean:
	$(module) clean

help:
	@echo 'make                  build the module for the kernel of the distribution'
	@echo 'make run              boot that in QEMU and play demo.sh'
	@echo 'make shell            boot it and give a shell, with the module in /'
	@echo 'make test             boot it and run test.sh'
	@echo 'make check            formats, lints, warnings as errors, style'
	@echo 'make rust-analyzer    write rust-project.json, for an editor'
	@echo 'make clean            remove what was built'
	@echo
	@echo 'KERNEL=uml            for another kernel: uml, a program, starts at once; uml-kasan, kasan'
	@echo '                      and rt look for mistakes'
	@echo 'KDIR=/path            for the kernel with this build folder'

.PHONY: all modules run shell test check rust-analyzer clean help
