"""Builds and runs program.cpp as a user of the library would: consume.py WAY SOURCE_ROOT

WAY is pkg_config, cmake, subproject or single_header. All work is done in a temporary directory.
"""
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

CXX = shlex.split(os.environ.get("CXX", "c++"))
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
HERE = pathlib.Path(__file__).resolve().parent
# The least that can be asked for: no optional back end.
CONFIGURE = ["meson", "setup", "-Dauto_features=disabled"]


def run(*command, **options):
    print("+", shlex.join(map(str, command)), flush=True)
    return subprocess.run(list(map(str, command)), check=True, text=True, **options)


def install(root, scratch):
    """Installs the library as a packager does, and returns the prefix."""
    prefix = scratch / "prefix"
    run(*CONFIGURE, scratch / "build", root, "--prefix", prefix)
    run("meson", "install", "-C", scratch / "build", "--no-rebuild", "--quiet")
    headers = lambda tree: {p.relative_to(tree) for p in tree.glob("**/*.hpp")}
    assert headers(root / "include") == headers(prefix / "include"), "not all headers were installed, or too many"
    return prefix


def pkg_config(root, scratch):
    os.environ["PKG_CONFIG_PATH"] = str(install(root, scratch) / "share/pkgconfig")
    for packages in [["polycast"], ["polycast", "polycast-zlib"]]:
        flags = run("pkg-config", "--cflags", "--libs", *packages, stdout=subprocess.PIPE).stdout.split()
        expected = ["-DEXPECT_ZLIB=" + str(len(packages) - 1)]
        run(*CXX, "-std=c++20", *WARNINGS, *expected, HERE / "program.cpp", "-o", scratch / "program", *flags)
        run(scratch / "program")


def cmake(root, scratch):
    prefix = install(root, scratch)
    shutil.copy(HERE / "program.cpp", scratch)
    (scratch / "CMakeLists.txt").write_text("""
cmake_minimum_required(VERSION 3.20)
project(consumer CXX)
find_package(polycast 0.1 REQUIRED COMPONENTS zlib)
add_executable(program program.cpp)
target_link_libraries(program PRIVATE polycast::polycast)
target_compile_definitions(program PRIVATE EXPECT_ZLIB=0)
add_executable(program_zlib program.cpp)
target_link_libraries(program_zlib PRIVATE polycast::zlib)
target_compile_definitions(program_zlib PRIVATE EXPECT_ZLIB=1)
""")
    run("cmake", "-S", scratch, "-B", scratch / "cmake", f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DCMAKE_CXX_FLAGS={' '.join(WARNINGS)}", f"-DCMAKE_CXX_COMPILER={CXX[-1]}")
    run("cmake", "--build", scratch / "cmake")
    run(scratch / "cmake/program")
    run(scratch / "cmake/program_zlib")


def subproject(root, scratch):
    (scratch / "subprojects/polycast").mkdir(parents=True)
    for part in ["include", "single_include", "meson.build"]:  # a symbolic link to all of it would do as well
        (scratch / "subprojects/polycast" / part).symlink_to(root / part)
    shutil.copy(HERE / "program.cpp", scratch)
    (scratch / "meson.build").write_text("""
project('consumer', 'cpp', default_options: ['cpp_std=c++20', 'warning_level=3', 'werror=true'])
polycast = dependency('polycast', fallback: 'polycast')
executable('program', 'program.cpp', dependencies: polycast, cpp_args: '-DEXPECT_ZLIB=0')
""")
    run(*CONFIGURE, scratch / "build", scratch, "--wrap-mode=forcefallback")
    run("meson", "compile", "-C", scratch / "build")
    run(scratch / "build/program")
    names = run("meson", "introspect", "--tests", scratch / "build", stdout=subprocess.PIPE).stdout
    assert names.strip() == "[]", "a subproject must not bring its tests"


def single_header(root, scratch):
    (scratch / "polycast").mkdir()
    shutil.copy(root / "single_include/polycast/polycast.hpp", scratch / "polycast")
    run(*CXX, "-std=c++20", *WARNINGS, "-DEXPECT_ZLIB=0", f"-I{scratch}", HERE / "program.cpp", "-o",
        scratch / "program", "-lzstd", "-pthread")
    run(scratch / "program")


way, root = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
with tempfile.TemporaryDirectory(prefix="polycast-") as directory:
    os.chdir(directory)  # Meson has CMake write to the current directory: not where another test does so too
    ways = {"pkg_config": pkg_config, "cmake": cmake, "subproject": subproject, "single_header": single_header}
    ways[way](root, pathlib.Path(directory))
