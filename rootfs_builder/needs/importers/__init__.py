"""Importers: what the scripts of a language import, and which files they find by their own place.

Each module is one language: it reads a text with a parser of that language, and answers with
needs. Where the language looks for modules it knows from what the rule's patterns found in the
interpreter. What a text imports and is nowhere is a warning with file, line and module, unless the
text itself is ready for that.

To add one: write the module, with a function `make`, put its name into `NAMES`, and name it as
`finder` in a rule. A module is imported when its rule holds, and a parser by the first text.
"""

NAMES = ("java", "lua", "node", "perl", "php", "python", "ruby", "shell", "typelibs")
