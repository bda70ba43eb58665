"""The version of the package: it is part of every cache key and of the provenance document."""

__version__ = "0.2.0"
