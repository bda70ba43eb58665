"""The wheel's man page and shell completions, made of the commands as they are."""

import runpy
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PROGRAM = "rootfs-builder"
COMPLETIONS = {
    "bash": f"share/bash-completion/completions/{PROGRAM}",
    "zsh": f"share/zsh/site-functions/_{PROGRAM}",
    "fish": f"share/fish/vendor_completions.d/{PROGRAM}.fish",
}


class CustomBuildHook(BuildHookInterface[Any]):
    """Adds files below `share/` of wherever the wheel is installed."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the files, and name them to hatchling."""
        if version == "editable":
            return
        sys.path.insert(0, self.root)
        self._made = tempfile.TemporaryDirectory(prefix="wheel.")
        folder = Path(self._made.name)
        for place, text in {**completions(), **manual(Path(self.root))}.items():
            path = folder / Path(place).name
            path.write_text(text)
            build_data["shared_data"][str(path)] = place

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove them again."""
        del build_data, artifact_path
        if version != "editable":
            self._made.cleanup()


def completions() -> dict[str, str]:
    """The completion script of each shell, by its place."""
    import click
    from click.shell_completion import get_completion_class

    from rootfs_builder.commands.completion import VARIABLE

    made = {}
    for shell, place in COMPLETIONS.items():
        found = get_completion_class(shell)
        assert found is not None  # noqa: S101 - click has the three
        made[place] = found(click.Command(PROGRAM), {}, PROGRAM, VARIABLE).source() + "\n"
    return made


def manual(root: Path) -> dict[str, str]:
    """The man page, by its place."""
    page = runpy.run_path(str(root / "scripts/man"))["page"]
    return {f"share/man/man1/{PROGRAM}.1": "\n".join(page()) + "\n"}
