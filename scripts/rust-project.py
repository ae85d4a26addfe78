#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Fits the rust-project.json that a kernel's Makefile writes (stdin) to this machine.

The compiler and its library are in the toolchain root, which an editor does not see
as /usr; SYSROOT has what runs them there. Only the crates in DIR are somebody's work;
they may read each other's files and what the build has generated in OUT, and see the
variables NAME that the build gives them. They are modules: of that the kernel's own
project file, in which everything is built in, says nothing, and module!() asks.

usage: rust-project.py ROOT SYSROOT DIR OUT [NAME=VALUE...]
"""

import json
import pathlib
import sys


def is_apart(folder):
    """Whether what is in a folder of DIR is none of its crates' business."""
    return folder.name in ("build", ".git") or (folder / "Cargo.toml").exists()


def adapt(crate, root, folder, out, variables):
    module = pathlib.PurePath(crate["root_module"])
    if module.is_relative_to("/usr"):
        crate["root_module"] = root + str(module)
    crate["is_workspace_member"] = module.is_relative_to(folder)
    if crate["is_workspace_member"]:
        apart = [str(child) for child in sorted(folder.iterdir()) if is_apart(child)]
        crate["source"] = {"include_dirs": [str(folder), out], "exclude_dirs": apart}
        crate["env"].update(variables)
        crate["cfg"] = crate["cfg"] + ["MODULE"]


def main():
    root, sysroot, folder, out, *variables = sys.argv[1:]
    project = json.load(sys.stdin)
    project["sysroot"] = sysroot or project["sysroot"]
    for crate in project["crates"]:
        adapt(crate, root, pathlib.Path(folder), out, dict(v.split("=", 1) for v in variables))
    json.dump(project, sys.stdout)


main()
