"""General evidence: what a program shows that nobody has written a rule for.

A general finder is asked when the rules and importers have nothing more to say: where one of them
took files from a directory, it decides what of that directory goes in.

To add one: write the module, with a function `make`, put its name into `NAMES`, and name it as
`finder` in a rule.
"""

NAMES = (
    *("accounts", "charsets", "configuration", "directories", "own-code", "own-package"),
    *("packages", "required", "services", "tex", "translations", "units", "unread"),
)
