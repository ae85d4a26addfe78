# SPDX-License-Identifier: GPL-2.0
"""A command for gdb: `module-symbols FOLDER` reads the symbols of the loaded modules in FOLDER,
each section at its address. lx-symbols knows only a few section names, and modules for
User-mode Linux have their code in others (.ltext)."""

import pathlib

import gdb
from linux import modules


def sections(module):
    """Yields the names and addresses of a module's sections from sysfs."""
    attributes = module["sect_attrs"]["grp"]["bin_attrs"]
    number = 0
    while attributes[number]:
        attribute = attributes[number].dereference()
        yield attribute["attr"]["name"].string(), int(attribute["private"])
        number += 1


class ModuleSymbols(gdb.Command):
    """Read the symbols of the modules in a folder that are loaded."""

    def __init__(self):
        super().__init__("module-symbols", gdb.COMMAND_FILES, gdb.COMPLETE_FILENAME)

    def invoke(self, arg, from_tty):
        for module in modules.module_list():
            path = pathlib.Path(arg) / f"{module['name'].string()}.ko"
            if path.exists():
                where = " ".join(f"-s {name} {address:#x}" for name, address in sections(module))
                gdb.execute(f"add-symbol-file {path} {where}", to_string=True)
                gdb.write(f"symbols of {path.name}\n")


ModuleSymbols()
