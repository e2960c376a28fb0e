"""Compiles Python files to byte code that is the same in each run.

`python -I -S bytecode.py FOLDER LIST`: each line of LIST is the path of a file in FOLDER, which is
the root of an image. Whether an object is marshalled as a reference depends on how often the
interpreter uses it, so each file is compiled in a process that is forked from the same state.
The byte code is never checked against its source: the root file system is read-only at run time.
"""

import os
import py_compile
import sys


def compile_all(root: str, paths: list[str]) -> int:
    """The number of files that can't be compiled."""
    failed = 0
    for path in paths:
        child = os.fork()
        if child == 0:
            os._exit(_compile(root, path))
        _, status = os.waitpid(child, 0)
        failed += status != 0
    return failed


def _compile(root: str, path: str) -> int:
    try:
        py_compile.compile(
            f"{root}/{path}",
            dfile=f"/{path}",
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
    except (py_compile.PyCompileError, OSError) as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    with open(sys.argv[2]) as listed:
        sys.exit(1 if compile_all(sys.argv[1], listed.read().splitlines()) else 0)
