"""rootfs-builder: a compiled program in, the smallest container image that runs it out."""

__version__ = "0.1.0"
