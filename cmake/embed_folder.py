#!/usr/bin/env python3
"""Writes a C++ file that holds every file of a folder as bytes. Usage: embed_folder.py FOLDER NAME OUT

A folder that does not exist gives an empty table. OUT keeps its time when nothing changed, so that nothing is compiled
again.
"""
import pathlib
import sys

LINE = 100   # bytes of a file in one line of text


def literal(data):
    lines = ["".join(f"\\{byte:03o}" for byte in data[at:at + LINE]) for at in range(0, len(data), LINE)]
    return "\n      ".join(f'"{line}"' for line in lines) or '""'


folder, name, out = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
files = sorted(path for path in folder.rglob("*") if path.is_file())
text = ['#include "core/base/embedded.hpp"', "", "namespace agentauri::embedded {", "",
        f"const std::vector<EmbeddedFile>& {name}() {{", "  static const std::vector<EmbeddedFile> files{"]
for path in files:
    data = path.read_bytes()
    text.append(f'    {{"{path.relative_to(folder).as_posix()}", {{{literal(data)}, {len(data)}}}}},')
text += ["  };", "  return files;", "}", "", "}   // namespace agentauri::embedded", ""]
result = "\n".join(text)
if not out.exists() or out.read_text(encoding="utf-8") != result:
    out.write_text(result, encoding="utf-8")
