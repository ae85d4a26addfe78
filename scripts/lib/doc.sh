# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What rustdoc makes of the abstractions and of both modules.

doc=$top/build/doc

# That of the `kernel` crate, which is public: what is made here links to it.
readonly kernel_doc=https://rust.docs.kernel.org/

# doc_make: makes $doc, for $kdir. A warning of rustdoc's is an error, and so is a link that
# leads nowhere.
doc_make() {
	local work=$top/build/doc-work
	rm -rf "$doc" "$work"
	mkdir -p "$doc"
	in_root scripts/doc.py sources "$work/crate"
	module_build "$top/scripts/doc" "$work/objects" DOC="$doc" DOC_CRATE="$work/crate" \
		DOC_FLAGS="--extern-html-root-url kernel=$kernel_doc"
	in_root rustdoc "$work/crate/index.md" --output "$doc" --markdown-no-toc \
		--html-in-header "$work/crate/style.html"
	in_root scripts/doc.py finish "$doc" "$linux/src"
	in_root scripts/doc.py check "$doc"
}
