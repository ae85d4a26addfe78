#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Adapts the kernel Makefile's rust-project.json (stdin) to this machine.

The compiler and its library are in the toolchain root, not in the /usr that an editor
sees. SYSROOT has tools that run there. Only the crates in DIR are the user's work.
They may read each other's files and generated files in OUT, and see the variables NAME
of the build. The kernel's project file treats everything as built in, so mark them as
modules, for module!().

usage: rust-project.py ROOT SYSROOT DIR OUT [NAME=VALUE...]
"""

import json
import pathlib
import sys


def is_apart(folder):
    """Returns whether DIR's crates do not use a folder in it."""
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
