#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Writes a crate of the examples in the documentation of abstractions/.

Each fenced block without a language in a doc comment becomes a function. They
are compiled, not run: whether what they use works is for the modules' tests.

Each item that others can use has to have one.

usage: doc-examples.py OUT_DIR ABSTRACTIONS_BINDINGS
"""

import pathlib
import re
import sys
import textwrap

ABSTRACTIONS = pathlib.Path(__file__).resolve().parent.parent / "abstractions"
BLOCK = re.compile(r"^```\n(.*?)^```$", re.M | re.S)
CRATE = """\
// SPDX-License-Identifier: GPL-2.0
//! The examples of abstractions/, made by scripts/doc-examples.py.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::all)]

#[path = "{abstractions}"]
mod abstractions {{
{modules}
}}
{examples}

use kernel::prelude::*;

module! {{
    type: abstractions::alive::Guarded<DocExamples>,
    name: "doc_examples",
    authors: ["The workqueue-rs authors"],
    description: "The examples of abstractions/",
    license: "GPL",
}}

struct DocExamples;

impl kernel::Module for DocExamples {{
    fn init(_: &'static kernel::ThisModule) -> kernel::error::Result<Self> {{
        Ok(Self)
    }}
}}
"""
KBUILD = """\
# SPDX-License-Identifier: GPL-2.0
obj-m := doc_examples.o
$(obj)/doc_examples.o: export ABSTRACTIONS_BINDINGS = {bindings}
"""


def documentation(source):
    """Yields the text of each doc comment in a source."""
    comment = []
    for line in [*source.splitlines(), ""]:
        if found := re.match(r"\s*//[/!] ?(.*)$", line):
            comment.append(found[1])
        elif comment:
            yield "\n".join(comment) + "\n"
            comment = []


def examples(source):
    for comment in documentation(source):
        for block in BLOCK.findall(comment):
            # rustdoc compiles lines that begin with `# `, but hides them.
            yield "\n".join(line.removeprefix("# ") for line in block.splitlines())


ITEM = re.compile(r"(?:pub\(crate\) (?:unsafe )?(?:struct|enum|trait|type|fn)|macro_rules!) (\w+)")


def items_without_example(source):
    """Yields the names of public items without an example."""
    comment = []
    for line in source.splitlines():
        if found := re.match(r"/// ?(.*)$", line):
            comment.append(found[1])
        elif found := ITEM.match(line):
            # A macro is public if it is exported.
            is_private = line.startswith("macro") and f"pub(crate) use {found[1]};" not in source
            if not is_private and not BLOCK.search("\n".join(comment) + "\n"):
                yield found[1]
            comment = []
        elif not line.startswith("#["):
            comment = []


def function(name, code):
    ends_in_result = code.rstrip().endswith("Ok::<(), Error>(())")
    returns = " -> Result" if ends_in_result else ""
    return (f"\nmod {name} {{\n    #[allow(unused_imports)]\n    use kernel::prelude::*;\n\n"
            f"    fn example(){returns} {{\n"
            f"{textwrap.indent(code, ' ' * 8)}\n    }}\n}}")


def main(arguments):
    if len(arguments) != 2:
        sys.exit(__doc__)
    out = pathlib.Path(arguments[0])
    out.mkdir(parents=True, exist_ok=True)
    files = sorted(ABSTRACTIONS.glob("*.rs"))
    functions = [function(f"{file.stem}_{number}", code)
                 for file in files
                 for number, code in enumerate(examples(file.read_text(encoding="utf-8")), 1)]
    bare = [f"{file.name}: {name} has no example"
            for file in files
            for name in items_without_example(file.read_text(encoding="utf-8"))]
    if bare:
        sys.exit("\n".join(bare))
    modules = "\n".join(f"    pub(crate) mod {file.stem};" for file in files)
    (out / "doc_examples.rs").write_text(CRATE.format(
        abstractions=ABSTRACTIONS, modules=modules, examples="\n".join(functions)),
        encoding="utf-8")
    (out / "Kbuild").write_text(KBUILD.format(
        bindings=pathlib.Path(arguments[1]).resolve()), encoding="utf-8")
    print(f"{len(functions)} examples")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
