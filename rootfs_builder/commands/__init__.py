"""The verbs of the command line: one module each, with a click command named `command`.

A verb parses, calls one library function and prints. Verbs share `options` (of builds) and
`terminal` (output for people); `mistakes` explains a command line that none of them accepts.

To add one: write the module, and put its line into `VERBS`.
"""

VERBS = {
    "pack": "Write a container image with a program and the files it needs.",
    "build": "Write the images that recipes describe, several side by side.",
    "init": "Write a recipe for a program.",
    "stage": "Write the files of such an image into a directory.",
    "index": "Join images for several platforms into one.",
    "debug": "Write an image with a shell and tools on top of it.",
    "tree": "Show what a program loads: each library, what needs it, where it was found.",
    "why": "Explain why one file is in the image.",
    "inspect": "Show what is in an image: config, layers, files, owners, sizes, reasons.",
    "report": "Write a page about an image: its size by package, and why each file is there.",
    "diff": "Show how one image differs from another.",
    "rules": "List the rules for files besides libraries; show which match, and why.",
    "trace": "Run a command on the host, and show what its image would lack.",
    "check": "Check that an image keeps the rules of a policy.",
    "verify": "Check that an image's programs find their linked libraries.",
    "run": "Start an image without an engine.",
    "minimize": "Leave out the files of an image that a command does not need.",
    "makefile": "Print the make or CMake integration.",
    "cache": "Show or clear the cache.",
    "completion": "Print the completion script for bash, zsh or fish.",
}
