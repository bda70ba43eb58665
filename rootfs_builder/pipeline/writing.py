"""A plan → its image at a place: layers are packed there, unless what is there is the same."""

from collections.abc import Callable

from msgspec import Struct

from rootfs_builder.cache import Cache
from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.image import Image, Platform, from_plan, provenance
from rootfs_builder.image.store import Store
from rootfs_builder.pipeline import destinations, planning
from rootfs_builder.pipeline.destinations import Place
from rootfs_builder.pipeline.reading import Inputs
from rootfs_builder.plan import Plan, inheritance

Progress = Callable[[int, int], None]


class Writer(Struct, frozen=True):
    """What stays the same while an image is written."""

    read: Inputs
    platform: Platform
    epoch: int
    with_plan: bool
    facts: FileFacts
    cache: Cache
    progress: Progress

    @property
    def usable_cache(self) -> Cache:
        """The cache; none where nothing is compressed: reading it would be no faster."""
        return self.cache if self.read.recipe.codec.level else Cache()

    def layered(self, plan: Plan, room: str) -> tuple[Plan, tuple[Plan, ...]]:
        """The plan as it is written, and what of it is in each layer."""
        recipe = self.read.recipe
        return planning.layered(recipe, plan, room, epoch=self.epoch, facts=self.facts)

    def write(
        self, plan: Plan, parts: tuple[Plan, ...], place: Place, threads: int | None
    ) -> Image:
        """The image of a plan in layers, written unless it is there already.

        Where the cache has lost a part of it, everything is built again.
        """
        for rebuild in (False, True):
            store = Store(place.stream, self.usable_cache, threads=threads, rebuild=rebuild)
            image = self._image(plan, parts, store)
            beside = {}
            if self.with_plan:
                below = None if self.read.base is None else self.read.base.tree.numbers
                beside[provenance.NAME] = provenance.write(image, plan, parts=parts, below=below)
            if place.has(destinations.seal(image, self.read.recipe.shape, beside)):
                break
            if store.fill():
                place.write(image, store, self.read.recipe.shape, beside)
                break
        return image

    def _image(self, plan: Plan, parts: tuple[Plan, ...], store: Store) -> Image:
        done, total = 0, plan.size

        def advance(size: int) -> None:
            nonlocal done
            done += size
            self.progress(done, total)

        below = None if self.read.base is None else self.read.base.image
        return from_plan.image(
            self.read.recipe,
            plan if self.read.base is None else inheritance.whole(plan, self.read.base.tree),
            store,
            parts=parts,
            platform=self.platform,
            base=below,
            epoch=self.epoch,
            facts=self.facts,
            progress=advance,
        )
