"""Checks that a program is refused for the right reason: expect_diagnostic.py SOURCE -- COMPILER ARGUMENT...

SOURCE must compile as it is, and with -DFAULT fail with an error text that matches each of its `// expect: REGEX` lines:
a typo alone makes no case pass. A source without such a line must compile in both forms.
"""
import re
import subprocess
import sys

source, separator, *compiler = sys.argv[1:]
assert separator == "--"
with open(source, encoding="utf-8") as file:
    expected = re.findall(r"^// expect: (.+?)\s*$", file.read(), re.MULTILINE)


def compile_it(*arguments):
    done = subprocess.run([*compiler, *arguments, source], stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode == 0, done.stderr


compiles, diagnostic = compile_it()
if not compiles:
    sys.exit(f"{source} does not compile even without its fault:\n{diagnostic}")
compiles, diagnostic = compile_it("-DFAULT")
if compiles and expected:
    sys.exit(f"{source} compiles in spite of its fault")
if not compiles and not expected:
    sys.exit(f"{source} does not compile:\n{diagnostic}")
missing = [pattern for pattern in expected if not re.search(pattern, diagnostic)]
if missing:
    sys.exit(f"{source}: the compiler does not say:\n" + "\n".join(missing) + f"\nit says:\n{diagnostic}")
