#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What `make doc` does beside rustdoc.

    doc.py sources CRATE   writes into CRATE what rustdoc reads: the crate root of the
                           abstractions, and the index page. Both are made from the table
                           of abstractions in docs/design.md.
    doc.py finish DOC SRC  has each page on a module's own copy of an abstraction lead to
                           the page of the abstraction itself, and links to files of the
                           kernel to its source in SRC.
    doc.py check DOC       fails if a link leads nowhere, or if the index lacks an
                           abstraction.
"""

import html
import os
import pathlib
import re
import sys
import urllib.parse
from html.parser import HTMLParser

TOP = pathlib.Path(__file__).resolve().parent.parent
ABSTRACTIONS = TOP / "abstractions"
MODULES = ["wq_echo", "workqueue_demo"]

CRATE = """\
// SPDX-License-Identifier: GPL-2.0
//! The safe wrappers that the `kernel` crate lacks: all `unsafe` code of the modules, and their
//! every use of `kernel::bindings`.
//!
{table}
#![allow(dead_code, unused_imports, unused_macros)]

{modules}

// What their macros call it, which are used in crates that have it as a module.
use crate as abstractions;

use kernel::prelude::*;

module! {{
    type: alive::Guarded<Documented>,
    name: "abstractions",
    authors: ["The workqueue-rs authors"],
    description: "abstractions/, for rustdoc",
    license: "GPL",
}}

#[doc(hidden)]
struct Documented;

impl kernel::Module for Documented {{
    fn init(_: &'static kernel::ThisModule) -> kernel::error::Result<Self> {{
        Ok(Self)
    }}
}}
"""

INDEX = """\
% Workqueues in Rust: the code

Two Linux kernel modules in Rust, and the abstractions that both use. Private items are shown:
nobody links to a module. Each page has the source behind it (*Source*), in which each name leads
to what it names.

## The modules

{modules}

## The abstractions

All `unsafe` code of the modules is here. Each item has an example, which `make check` compiles.
What *needs* what is in the table for one who [copies](../../docs/design.md#abstractions) an
abstraction into a driver.

{table}

## The documents

{documents}
"""

# rustdoc's own pages have themes. This page is plain.
STYLE = """\
<style>
:root { color-scheme: light dark; }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem; line-height: 1.5;
       font-family: system-ui, sans-serif; }
code { font-size: 0.9em; }
table { border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.6rem;
         border-bottom: 1px solid color-mix(in srgb, currentColor 25%, transparent); }
@media (prefers-color-scheme: dark) { a { color: #8ab4f8; } a:visited { color: #c58af9; } }
</style>
"""

# The page that rustdoc itself writes for moved items.
REDIRECT = """\
<!DOCTYPE html>
<html lang="en">
<head>
    <meta http-equiv="refresh" content="0;URL={url}">
    <title>Redirection</title>
</head>
<body>
    <p>Redirecting to <a href="{url}">{url}</a>...</p>
    <script>location.replace("{url}" + location.search + location.hash);</script>
</body>
</html>
"""


def rows():
    """Yields the files and the cells of each row of the table of abstractions."""
    lines = (TOP / "docs/design.md").read_text(encoding="utf-8").splitlines()
    start = lines.index("| file | C | needs | offers |") + 2
    for line in lines[start:]:
        if not line.startswith("|"):
            return
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        yield re.findall(r"`([^`]+)`", cells[0]), cells


def stems():
    return sorted(path.stem for path in ABSTRACTIONS.glob("*.rs"))


def named_in(source):
    """Returns the abstractions that a source names after `abstractions::`."""
    code = re.sub(r"//.*", "", source.read_text(encoding="utf-8"))
    found = set()
    for match in re.finditer(r"\babstractions::(\w+|\{)", code):
        if match[1] != "{":
            found.add(match[1])
            continue
        depth, at, name = 1, match.end(), ""
        while depth:
            letter = code[at]
            depth += {"{": 1, "}": -1}.get(letter, 0)
            if depth == 1 and letter in ",}:" or depth == 0:
                found.add(name.strip())
                name = ""
            elif depth == 1:
                name += letter
            at += 1
    return found


def users(stem):
    """Links to the modules' sources that use an abstraction, or else to the tests that do."""
    links = []
    for name in MODULES:
        for source in [TOP / f"{name}.rs", *sorted((TOP / name).rglob("*.rs"))]:
            path = source.relative_to(TOP)
            if stem in named_in(source):
                links.append(f"[`{path}`](src/{name}/{path}.html)")
    tests = [source.relative_to(TOP) for source in sorted((TOP / "tests/abstractions").glob("*.rs"))
             if stem in named_in(source)]
    return links or [f"[`{path}`](../../{path})" for path in tests]


def linked(cell, link):
    """Makes links of the names of Rust files in a cell."""
    return re.sub(r"`(\w+)\.rs`", lambda name: f"[{name[0]}]({link(name[1])})", cell)


def table(link, with_users):
    head = ["file", "C", "needs", "offers"] + ["used by"] * with_users
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join(['---'] * len(head))} |"
    for files, cells in rows():
        cells = [linked(cells[0], link), cells[1], linked(cells[2], link), cells[3]]
        if with_users:
            stem = pathlib.PurePath(files[0]).stem
            cells.append(", ".join(users(stem)))
        yield f"| {' | '.join(cells)} |"


def first_sentence(path):
    """Returns the first sentence of a file's `//!`."""
    text = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("//!"):
            text.append(line[3:].strip())
        if text and not text[-1]:
            break
    return " ".join(text).strip()


def title(document):
    return document.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")


def sources(crate):
    crate.mkdir(parents=True, exist_ok=True)
    place = crate / "abstractions"
    place.unlink(missing_ok=True)
    place.symlink_to(ABSTRACTIONS)
    modules = "\n".join(f'#[path = "abstractions/{stem}.rs"]\npub(crate) mod {stem};'
                        for stem in stems())
    (crate / "abstractions.rs").write_text(CRATE.format(
        table="\n".join(f"//! {line}" for line in table("crate::{}".format, False)),
        modules=modules), encoding="utf-8")
    described = "\n".join(f"- [**{name}**]({name}/index.html): "
                          f"{first_sentence(TOP / f'{name}.rs').split(': ', 1)[1]}"
                          for name in MODULES)
    documents = [TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))]
    (crate / "index.md").write_text(INDEX.format(
        modules=described,
        table="\n".join(table("abstractions/{}/index.html".format, True)),
        documents="\n".join(f"- [`{path.relative_to(TOP)}`](../../{path.relative_to(TOP)}): "
                            f"{title(path)}" for path in documents)), encoding="utf-8")
    (crate / "style.html").write_text(STYLE, encoding="utf-8")


def finish(doc, kernel):
    for name in MODULES:
        for copies, originals in [(doc / name / "abstractions", doc / "abstractions"),
                                  (doc / "src" / name / "abstractions",
                                   doc / "src/abstractions/abstractions")]:
            for page in copies.rglob("*.html"):
                original = originals / page.relative_to(copies)
                url = os.path.relpath(original, page.parent)
                page.write_text(REDIRECT.format(url=html.escape(url)), encoding="utf-8")
    for page in doc.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        if '"srctree/' in text:
            page.write_text(text.replace('<a href="srctree/', f'<a href="{kernel}/'),
                            encoding="utf-8")


class Page(HTMLParser):
    """The links of a page and its link targets."""

    def __init__(self, path):
        super().__init__()
        self.links, self.names = [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.names.update(given[key] for key in ("id", "name") if given.get(key))
        # The script with other crates' implementations exists only if there are any.
        if tag != "script":
            self.links += [given[key] for key in ("href", "src") if given.get(key)]


def broken_links(doc):
    pages = {path: Page(path) for path in doc.rglob("*.html")}
    for path, page in sorted(pages.items()):
        for link in page.links:
            url = urllib.parse.urlsplit(link)
            # A link that rustdoc could not resolve has no suffix. rustdoc reports those of
            # this tree as errors. The documentation of other crates' traits has more.
            if url.scheme or url.netloc or (url.path and "." not in url.path):
                continue
            target = path
            if url.path:
                target = pathlib.Path(os.path.normpath(
                    path.parent / urllib.parse.unquote(url.path)))
            # On a source page a script turns `12-17` into its first line.
            fragment = re.sub(r"^(\d+)-\d+$", r"\1", url.fragment)
            if not target.exists():
                yield f"{path.relative_to(doc)}: {link}: no such file"
            elif fragment and target in pages and not has(pages, target, fragment):
                yield f"{path.relative_to(doc)}: {link}: nothing of that name there"


def has(pages, target, fragment):
    page = pages[target]
    # A redirection keeps the fragment.
    if len(page.links) == 1:
        target = pathlib.Path(os.path.normpath(target.parent / page.links[0]))
        page = pages.get(target, page)
    return fragment in page.names or urllib.parse.unquote(fragment) in page.names


def check(doc):
    wrong = sorted(set(broken_links(doc)))
    index = Page(doc / "index.html")
    wrong += [f"index.html: nothing leads to {stem}" for stem in stems()
              if f"abstractions/{stem}/index.html" not in index.links]
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


def main(arguments):
    commands = {"sources": (sources, 1), "finish": (finish, 2), "check": (check, 1)}
    name, *paths = arguments or [""]
    function, count = commands.get(name, (None, -1))
    if len(paths) != count:
        sys.exit(__doc__)
    return function(*map(pathlib.Path, paths))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
