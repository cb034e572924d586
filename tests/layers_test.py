#!/usr/bin/env python3
"""Which module may include what: the folders are a list, and includes go up it only.

Also: heavy headers stay where they belong, and each CMakeLists.txt names exactly what its module includes.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SRC = ROOT / "src"
ORDER = ["core", "net", "domain", "store", "chain", "rules", "engine", "delivery", "gateway", "app"]
# These do not know each other: they meet in the store.
ROLES = {"chain", "engine", "delivery", "gateway"}
# Only the composition root names a concrete engine.
CONCRETE = ("store/sqlite/", "store/postgres/", "store/cache/memory_cache", "store/cache/redis_cache")
# header pattern -> path prefixes that may include it
HOMES = {
    r"boost/asio|boost/beast|openssl/ssl": ("core/async/", "net/"),
    r"libpq|pg_config|postgres_ext": ("store/postgres/",),
    r"sqlite3": ("store/sqlite/",),
    r"openssl/|sodium": ("core/crypto/", "core/base/uuid.cpp", "core/async/", "net/"),
    r"secp256k1|argon2": ("core/crypto/",),
    r"zlib|brotli/": ("core/compress/",),
    r"prometheus/": ("core/telemetry/",),
    r"boost/json": ("core/json/",),
    r"CLI/": ("app/",),
}
# Whatever else comes from the environment would be missing in docs/configuration.md. What OpenSSL and PostgreSQL's programs
# take from there is not ours.
GETENV_HOMES = ("core/config/", "net/tls_context.cpp", "app/postgres_tools.cpp")
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.M)


def faults():
    used = {module: set() for module in ORDER}
    for path in sorted(SRC.rglob("*.[ch]pp")):
        rel = path.relative_to(SRC).as_posix()
        module = rel.split("/")[0]
        is_test = "_test." in rel or "/testing/" in rel
        text = path.read_text(encoding="utf-8")
        if "getenv(" in text and not is_test and not rel.startswith(GETENV_HOMES):
            yield f"{rel}: settings are read by app/settings.cpp and the readers beside it, not by getenv"
        for kind, header in INCLUDE.findall(text):
            if kind == '"':
                other = header.split("/")[0]
                if other not in ORDER:
                    yield f"{rel}: {header} is not named from src/"
                    continue
                if other != module:
                    if not is_test:
                        used[module].add(other)
                    if ORDER.index(other) > ORDER.index(module):
                        yield f"{rel}: {module} may not include {other}, which stands below it"
                    if {module, other} <= ROLES:
                        yield f"{rel}: {module} and {other} meet in the store only"
                if header.startswith(CONCRETE) and module not in ("store", "app") and not is_test:
                    yield f"{rel}: only src/app names a concrete engine of the store"
            for pattern, homes in HOMES.items():
                if re.match(pattern, header) and not rel.startswith(homes):
                    yield f"{rel}: <{header}> belongs into {' or '.join(homes)}"
    for module in ORDER:
        text = (SRC / module / "CMakeLists.txt").read_text(encoding="utf-8")
        call = re.search(r"app_module\(\s*(\w+)(.*?)\)", text, re.S)
        if not call or call.group(1) != module:
            yield f"{module}/CMakeLists.txt: no app_module({module} …)"
            continue
        depends = re.search(r"DEPENDS\s+(.*?)(?:LIBS|$)", call.group(2), re.S)
        named = set(depends.group(1).split()) if depends else set()
        for other in sorted(used[module] - named):
            yield f"{module}/CMakeLists.txt: DEPENDS lacks {other}, which the module includes"


def main():
    found = list(faults())
    for fault in found:
        print(fault)
    print(f"layers: {len(found)} faults" if found else "layers: ok")
    return 1 if found else 0


sys.exit(main())
