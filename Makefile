# SPDX-License-Identifier: GPL-2.0
#
# People's way in: each target calls a script. What is built is said in Kbuild,
# which is what a kernel's `make M=...` reads.
#
#   KDIR=...	the kernel build folder to build against; by default that of the
#		running kernel, or of the release KREL. A kernel that
#		scripts/qemu-run.sh has prepared:
#		make KDIR="$(scripts/qemu-run.sh --print-kdir)"
#   ARCH=arm64	for demo, test, test-all and a kernel of KREL's kind: see README
#
# bash is named for a tree that is mounted noexec: so the script can say so.

export KDIR

all modules:
	@bash scripts/build.sh modules

modules_install:
	@bash scripts/build.sh install

rust-analyzer:
	@bash scripts/build.sh rust-analyzer $(if $(MODULE),'$(MODULE)')

man completions:
	@bash scripts/build.sh $@

doc:
	@bash scripts/doc.sh

demo:
	@bash scripts/qemu-run.sh

timeline:
	@mkdir -p build
	@bash scripts/qemu-run.sh --timeline build/timeline.svg \
		--add scripts/guest/tour.sh:/tour.sh -- 'sh /tour.sh' </dev/null
	@echo build/timeline.svg

pictures:
	@bash scripts/pictures.sh

doctor:
	@bash scripts/doctor.sh $(if $(JSON),--json) $(if $(KREL),'$(KREL)')

test:
	@bash scripts/test.sh $(if $(FILTER),'$(FILTER)')

test-all:
	@bash scripts/test-all.sh $(KERNELS)

soak:
	@bash scripts/soak.sh '$(MINUTES)' '$(KERNEL)' '$(CPUS)'

check:
	@bash scripts/check.sh

compile-fail:
	@bash scripts/check.sh misuse_is_refused

kunit:
	@bash scripts/kunit.sh $(if $(KERNEL),--kernel '$(KERNEL)')

in-tree:
	@FULL=1 bash tests/in-tree.sh

zoo:
	@bash zoo/run.sh

bench:
	@bash scripts/bench.sh $(if $(SETUP),--setup)

peers:
	@bash peers/run.sh --kernel kasan
	@bash peers/run.sh --kernel rt

clean:
	rm -rf build *.ko rust-project.json

help:
	@echo 'make                  build the modules for the running kernel'
	@echo '                      (KREL=7.3.4+deb13-amd64: for this release, KREL=7.3.4+deb13-arm64:'
	@echo '                      cross-built; KDIR=/path: against this build folder of a kernel)'
	@echo 'make modules_install  install them, for modprobe (as root)'
	@echo 'make doctor           say what this machine and its kernel are fit for, and what is missing'
	@echo '                      (KREL=...: that kernel; JSON=1: for programs)'
	@echo 'make demo             boot a kernel in QEMU and show both modules at work'
	@echo '                      (ARCH=arm64: one for arm64; so with test and test-all)'
	@echo 'make timeline         draw what work items do, as build/timeline.svg'
	@echo 'make test             all tests: of wqtest on this machine, of the modules in QEMU'
	@echo '                      (FILTER=flush: of these only the ones with flush in their names)'
	@echo 'make test-all         that, and all that is hard on them, on four kernels (most of an hour)'
	@echo '                      (KERNELS="kasan rt": on these only; CYCLES=500: more removals;'
	@echo '                      FULL=1: all of it on each)'
	@echo 'make soak MINUTES=n   what is hard on them in random order, for an hour by default'
	@echo '                      (KERNEL=uml-kasan CPUS=2, by default)'
	@echo 'make check            formats, lints, warnings as errors, style'
	@echo 'make doc              rustdoc of the abstractions and of both modules; the last line is the'
	@echo '                      path of its index page'
	@echo 'make compile-fail     misuse of the abstractions must not compile (part of check)'
	@echo 'make kunit            the KUnit suites, of the modules and of the abstractions, built into'
	@echo '                      a kernel that is a program (which is built first: four minutes), or'
	@echo '                      as modules in KERNEL=kasan or rt'
	@echo 'make in-tree          the tree as a part of the kernel: built in, as modules, for x86-64'
	@echo 'make zoo              broken modules, and the reports that each must get (13 minutes)'
	@echo 'make bench            measure the modules beside their twins in C'
	@echo '                      (SETUP=1: and the set-up from nothing, many minutes)'
	@echo 'make peers            tools that nobody here wrote, set on both modules (an hour)'
	@echo 'scripts/rust-headers.sh --deb|--install|--check [RELEASE]'
	@echo '                      what the headers of Debian kernels lack for modules in Rust'
	@echo 'scripts/new-module.sh NAME [DIR] [--with OPTION,...]'
	@echo '                      make a folder with a module of your own (--help says more)'
	@echo 'scripts/lab.sh start STEP DIR, check DIR, grade DIR...'
	@echo '                      the lab: steps to learn by (docs/lab/; --help says more)'
	@echo 'make rust-analyzer    write rust-project.json, for an editor (MODULE=DIR: for a module'
	@echo '                      of your own, into DIR)'
	@echo 'make man completions  the manual pages of wqtest, and what bash, fish and zsh complete its'
	@echo '                      command line by, in build/'
	@echo 'make clean            remove all of that; compilers and kernels stay cached'

.PHONY: all modules modules_install rust-analyzer doc demo timeline pictures doctor test test-all soak \
	check compile-fail kunit in-tree zoo bench peers man completions clean help
