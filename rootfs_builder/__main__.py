"""`python -m rootfs_builder`: the command line without the console script."""

from rootfs_builder.cli import main

main()
