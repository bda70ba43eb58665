"""The verbs of the command line: one module each, with a click command named `command`.

A verb parses, calls one library function and prints. What it shares with others stands in
`options` (what a build is told) and `terminal` (what a person is shown); `mistakes` explains a
command line that none of them takes.

To add one: write the module, and put its line into `VERBS`.
"""

VERBS = {
    "pack": "Write a container image with a program and all it needs.",
    "build": "Write the images that recipes describe, several side by side.",
    "init": "Write a recipe for a program.",
    "stage": "Write the same files into a directory.",
    "tree": "Show what a program loads: who needs what, found by which rule.",
    "why": "Explain why one file is in the image.",
    "inspect": "Show what is in an image: config, layers, files, owners, sizes, reasons.",
    "rules": "List the rules of what programs need beyond their libraries; which match, and why.",
    "verify": "Say what an image's programs would not find when they start.",
    "makefile": "Print what makes GNU make or CMake build images.",
    "cache": "Say what is remembered for later runs, or forget it.",
    "completion": "Print what makes bash, zsh or fish complete this command.",
}
