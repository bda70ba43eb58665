"""Plan → whether its files fit in so many bytes, and if not, which are the largest and why.

What is counted is what `docker images` shows: the bytes of all files, each inode once. It does not
depend on how layers are compressed, and is known before anything is written.
"""

from rootfs_builder.errors import Mistake, PolicyError
from rootfs_builder.paths import encode, printable
from rootfs_builder.plan import Plan

_SHOWN = 10


def check(plan: Plan, max_size: int) -> None:
    """Raise PolicyError where the plan's files have more than `max_size` bytes."""
    if plan.size <= max_size:
        return
    files = plan.unique_files
    largest = sorted(files, key=lambda entry: (-entry.size, encode(entry.path)))[:_SHOWN]
    lines = [
        f"  {entry.size:>13,}  {printable(entry.path)}: {entry.reasons[0].sentence}"
        for entry in largest
    ]
    text = (
        f"the files have {plan.size:,} bytes, {plan.size - max_size:,} more than "
        f"{max_size:,}; the largest of {len(files)}, and why they are there:\n" + "\n".join(lines)
    )
    raise PolicyError(Mistake("--max-size", text))
