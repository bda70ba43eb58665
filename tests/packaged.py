"""A small root with dpkg's database, and a packaged program that spells out texts."""

from tests import package_roots
from tests.rule_bench import LIB, libc, program, rule

TOOL = "/usr/bin/tool"
ANY = 'when = { libc = ["glibc", "static"] }\n'
OWN = rule(ANY + 'finder = "own-package"', "own-package")
CONFIGURATION = rule(ANY + 'finder = "configuration"', "configuration")
BOTH = OWN + CONFIGURATION
COPYING = rule(ANY + "copy = ['/usr/share/tool/one']", "copying")


def spelling(*texts):
    """C with these whole strings in the data of the program."""
    each = "".join(f'const char text{i}[] = "{one}";' for i, one in enumerate(texts))
    used = "".join(f"(void *)text{i}, " for i in range(len(texts)))
    return f"{each} void *texts[] = {{ {used} }};"


class Machine:
    """A root with `tool`, which spells out texts, and packages with their files."""

    def __init__(self, bench):
        self.bench = bench
        self.packages = []

    def tool(self, *texts, path=TOOL, **options):
        self.bench.fill({f"{LIB}/libc.so.6": libc("frob")})
        self.bench.fill({path: program("frob", source=spelling(*texts), **options)})

    def package(self, name, tree, source="", needs="", **own):
        """A package with files; `own` are files that it lists and are there already."""
        self.bench.fill(tree)
        files = tuple(tree) + own.get("files", ())
        self.packages.append((name, files, source, needs))
        install(self.bench.root, self.packages)

    def brought(self, *rules, **options):
        result = self.bench.plan("".join(rules) or BOTH, options.pop("program", TOOL), **options)
        self.result = result
        return {p for p in result.paths if not p.startswith((LIB, TOOL, "/usr/lib/x86", "/lib"))}


def install(root, packages):
    installed = [package_roots.Package(n, "1", files, source) for n, files, source, _ in packages]
    package_roots.install(root, *installed)
    status = root / "var/lib/dpkg/status"
    text = status.read_text()
    for name, _, _, needs in packages:
        text = text.replace(f"Package: {name}\n", f"Package: {name}\n{needs}")
    status.write_text(text)
