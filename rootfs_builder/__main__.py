"""The process: `rootfs-builder`, or `python -m rootfs_builder`."""

import gc


def main() -> None:
    """Run the command line of this process and exit."""
    gc.disable()  # one job, whose values live until its end: there is no garbage to look for
    from rootfs_builder import cli

    cli.main()


if __name__ == "__main__":
    main()
