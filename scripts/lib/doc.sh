# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# rustdoc of the abstractions and both modules.

doc=$top/build/doc

# The public pages of the `kernel` crate. Our pages link to them.
readonly kernel_doc=https://rust.docs.kernel.org/

# doc_make: makes $doc for $kdir. rustdoc warnings and broken links are errors.
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
