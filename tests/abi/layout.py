"""Prints a C program that prints the layout of every visible struct of the public headers and the
value of every constant, one a line; scripts/abi compares that with tests/abi/table.

With --constants it prints the names of all constants and enumerators instead, with --stub a library
in C that has every call and does nothing.
"""
import glob
import re
import sys

HEADERS = [h for h in sorted(glob.glob("include/duet/*.h")) if not h.endswith("/names.h")]


def source(path):
    text = re.sub(r"/\*.*?\*/", "", open(path, encoding="utf-8").read(), flags=re.S)
    return re.sub(r"\\\n", " ", text)


def members(body):
    """The names of a struct's members."""
    for part in body.split(";"):
        part = " ".join(part.split())
        pointer = re.search(r"\(\*(\w+)\)", part)
        if pointer:
            yield pointer.group(1)
            continue
        for name in part.split(","):
            name = re.sub(r"\[[^\]]*\]", "", name).strip()
            if name:
                yield re.search(r"(\w+)$", name).group(1)


def structs(text):
    for found in re.finditer(r"typedef struct (duet_\w+)\s*\{(.*?)\}\s*duet_\w+;", text, re.S):
        yield found.group(1), list(members(found.group(2)))


def constants(text):
    for name, value in re.findall(r"^#define (DUET_[A-Z0-9_]+)[ \t]+(\S.*)$", text, re.M):
        if re.match(r'["_]|alignas|_Alignas|X\(', value) or name.endswith("_H"):
            continue
        yield name
    for body in re.findall(r"enum duet_\w+\s*\{(.*?)\}", text, re.S):
        body = re.sub(r"DUET_(RESULTS|PATTERNS)\(\w+\)", "", body)
        for part in body.split(","):
            found = re.match(r"\s*(DUET_[A-Z]\w+)", part)
            if found:
                yield found.group(1)
    for prefix, rows in (("DUET_", r"X\((\w+), -?\d+, [A-Z_]+,"), ("DUET_PATTERN_", r"X\((\w+), \d+, \"")):
        for name in re.findall(rows, text):
            yield prefix + name


def prototypes(text):
    for found in re.finditer(r"DUET_API ([^;{]*\));", text):
        yield " ".join(found.group(1).replace("DUET_CHECKED ", "").split())


def main():
    texts = [source(path) for path in HEADERS]
    if sys.argv[1:] == ["--stub"]:
        print("#include <duet/duet.h>")
        for text in texts:
            for prototype in prototypes(text):
                print(f"DUET_API {prototype} {{ __builtin_trap(); }}")
        return
    names = sorted({name for text in texts for name in constants(text)})
    if sys.argv[1:] == ["--constants"]:
        print("\n".join(names))
        return
    print('#include <duet/duet.h>\n#include <stddef.h>\n#include <stdio.h>\nint main(void) {')
    for text in texts:
        for name, fields in structs(text):
            print(f'printf("struct {name} %zu\\n", sizeof(struct {name}));')
            for field in fields:
                print(
                    f'printf("{name}.{field} %zu %zu\\n", offsetof(struct {name}, {field}), '
                    f"sizeof(((struct {name} *)0)->{field}));"
                )
    for text in texts:
        for prototype in prototypes(text):
            print(f'puts("{prototype}");')
    for name in names:
        if not name.startswith("DUET_VERSION"):
            print(f'printf("{name} %lld\\n", (long long)({name}));')
    print("return 0; }")


main()
