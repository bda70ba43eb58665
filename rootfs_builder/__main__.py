"""The process: `rootfs-builder`, or `python -m rootfs_builder`."""

import contextlib
import gc
import os
import sys


def main() -> None:
    """Run the command line of this process and exit."""
    gc.disable()  # one job, whose values live until its end: there is no garbage to look for
    from rootfs_builder import cli

    code = cli.main()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError):  # closed, or full: that was reported
            stream.flush()
    os._exit(code)  # taking the modules apart, class by class, is 4 % of a short run


if __name__ == "__main__":
    # `python -m` looks in the working directory first, where a signal.py is none of Python's.
    if not sys.flags.safe_path and sys.path[0] != os.path.dirname(os.path.dirname(__file__)):
        del sys.path[0]
    main()
