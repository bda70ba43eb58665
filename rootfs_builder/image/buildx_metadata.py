"""Image → what `docker buildx build --metadata-file` says of one, so that scripts take either.

The keys are buildx's (docs.docker.com/reference/cli/docker/buildx/build/#metadata-file) less those
that tell of its builder.
"""

from msgspec import json

from rootfs_builder.image import Image, canonical
from rootfs_builder.image.archives import oci


def document(image: Image) -> bytes:
    """The file's content, JSON; the descriptor is the one in an OCI layout's `index.json`."""
    facts: dict[str, object] = {
        "containerimage.config.digest": image.config_digest,
        "containerimage.descriptor": oci.described(image)[0],
        "containerimage.digest": image.digest,
        "image.name": ",".join(image.names),
    }
    return json.format(canonical(facts), indent=2) + b"\n"
