"""The verbs of the command line: one module each, with a click command named `command`.

A verb parses, calls one library function and prints. Verbs share `options` (of builds) and
`terminal` (output for people); `mistakes` explains a command line that none of them accepts.

To add one: write the module, and put its line into `VERBS`.
"""

VERBS = {
    "pack": "Write a container image with a program and all it needs.",
    "build": "Write the images that recipes describe, several side by side.",
    "init": "Write a recipe for a program.",
    "stage": "Write the same files into a directory.",
    "index": "Join images for several platforms into one.",
    "debug": "Write an image with a shell and tools on top of it.",
    "tree": "Show what a program loads: who needs what, found by which rule.",
    "why": "Explain why one file is in the image.",
    "inspect": "Show what is in an image: config, layers, files, owners, sizes, reasons.",
    "report": "Write a page about an image: what takes the bytes, and why each file is there.",
    "diff": "Show how one image differs from another.",
    "rules": "List the rules of what programs need beyond their libraries; which match, and why.",
    "trace": "Run a command here, and say what the image of its program lacks.",
    "check": "Check that an image keeps the rules of a policy.",
    "verify": "Check that an image's programs find their linked libraries.",
    "run": "Start an image without an engine.",
    "minimize": "Leave out of an image what a command does not need.",
    "makefile": "Print the make or CMake integration.",
    "cache": "Show or clear the cache.",
    "completion": "Print the completion script for bash, zsh or fish.",
}
