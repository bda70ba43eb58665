"""Functions of Perl that are given a module's name and load it, or look for what belongs to it."""

LOADERS = frozenset(  # functions of Module::Runtime and its like: their argument is a module
    (
        "autoload",
        "ensure_class_loaded",
        "load_class",
        "load_module",
        "load_optional_class",
        "loadclass",
        "require_module",
        "try_load_class",
        "use_module",
        "use_package_optimistically",
    )
)
INHERITING = frozenset(("extends", "load", "with"))  # the same, if it is a constant
FINDERS = frozenset(("findallmod", "findsubmod", "useall", "usesub"))  # all modules below a name
SHARES = frozenset(
    ("class_dir", "class_file", "dist_dir", "dist_file", "module_dir", "module_file")
)
