"""README's first program is examples/hello.cpp, and every C++ snippet in it compiles.

readme.py README HELLO COMPILER ARGUMENT...
"""
import pathlib
import re
import subprocess
import sys
import tempfile

readme, hello, *compiler = sys.argv[1:]
blocks = re.findall(r'```cpp\n(.*?)```', pathlib.Path(readme).read_text(), re.S)

PRELUDE = '''#include <polycast/polycast.hpp>
namespace pc = polycast;
struct progress { int percent; };
struct live_data { double cpu; };
struct agent_started { std::string run_id; };
struct agent_delta { std::string run_id, text; };
struct app {};
'''
# How a snippet that is no whole program is put into one, by a word that only it has; @ is the snippet.
SCAFFOLDS = {
    'int main': '@',
    'struct dashboard': '#include <cstdio>\n' + PRELUDE + '@\nusing made = pc::client<dashboard>;\n',
    'client.run()': '#define POLYCAST_WITH_OPENSSL 1\n' + PRELUDE + 'struct dashboard {};\nvoid snippet()\n{\n@\n}\n',
    'secure_server': '#define POLYCAST_WITH_OPENSSL 1\n' + PRELUDE + 'void snippet()\n{\n@\n}\n',
    'dashboard_server': '#define POLYCAST_WITH_ZLIB 1\n' + PRELUDE + '@\nusing made = dashboard_server::emitter_type;\n',
    'server.emitter()': PRELUDE + 'using S = pc::server<app>;\nvoid snippet(S& server, pc::handle handle)\n{\n@\n}\n',
    'durable_server': '#define POLYCAST_WITH_SQLITE 1\n' + PRELUDE + 'struct dashboard {};\n@\nusing made = durable_server::emitter_type;\n'
                      'using made_too = reliable_server::emitter_type;\n',
    'pc::coalesce::append': PRELUDE + '@\nstatic_assert(pc::event_coalesce<agent_delta> == pc::coalesce::append);\n',
    'struct eager': PRELUDE + '@\nusing made = my_server::emitter_type;\n',
    'event_traits': PRELUDE + '@\nstatic_assert(pc::event_lane<agent_started> == pc::lane::high);\n',
}

failures = []
if blocks[0] != pathlib.Path(hello).read_text():
    failures.append("README's first program is not examples/hello.cpp, to the letter")
for block in blocks:
    words = [word for word in SCAFFOLDS if word in block]
    if not words:
        failures.append(f'no scaffold in {sys.argv[0]} fits this snippet:\n{block}')
        continue
    with tempfile.NamedTemporaryFile('w', suffix='.cpp') as source:
        # A snippet ends in what a program would go on with: unused names are no fault of it.
        source.write(SCAFFOLDS[words[0]].replace('@', block))
        source.flush()
        ran = subprocess.run([*compiler, source.name], capture_output=True, text=True)
    if ran.returncode != 0:
        failures.append(f'does not compile:\n{block}\n{ran.stderr[:3000]}')
print('\n'.join(failures) or f'{len(blocks)} snippets compile')
sys.exit(bool(failures))
