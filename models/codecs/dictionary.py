# SPDX-License-Identifier: MIT
"""The compressor's dictionary for a task, made from its training split in the cache folder.

It is not shipped: a dictionary is pieces of the training texts, whose licence is not ours to give.
"""

import functools

import zstandard

from models.assets.cache import cache_folder, locked, replacing
from models.tasks import get_task

DICTIONARY_BYTES = 112_640
"""Zstandard's own default."""

LEVEL = 19


def compressor(dictionary: zstandard.ZstdCompressionDict) -> zstandard.ZstdCompressor:
    """Return a compressor of short texts: frames without what their receiver knows anyway.

    No magic number, size, dictionary's number nor checksum; a receiver reads them with
    `zstandard.FORMAT_ZSTD1_MAGICLESS` and the same dictionary.
    """
    parameters = zstandard.ZstdCompressionParameters.from_level(
        LEVEL,
        format=zstandard.FORMAT_ZSTD1_MAGICLESS,
        write_content_size=0,
        write_dict_id=0,
        write_checksum=0,
    )
    return zstandard.ZstdCompressor(compression_params=parameters, dict_data=dictionary)


@functools.cache
def get_dictionary(task: str) -> bytes:
    """Return a task's dictionary; made in about a second the first time, then read.

    It depends on the training split and Zstandard's version, and so do the bytes of a message.

    Raises:
        TaskError: no task has this name.
        AssetError: its data are not in the cache, or the cache cannot be written.
    """
    data = get_task(task)
    version = ".".join(map(str, zstandard.ZSTD_VERSION))
    name = f"{task}-{data.data_hash[:16]}-{DICTIONARY_BYTES}-zstd{version}"
    path = cache_folder("dictionaries") / name
    if not path.is_file():
        with locked(f"dictionary-{task}"):
            if not path.is_file():
                texts: list[bytes | bytearray | memoryview] = [s.text.encode() for s in data.train]
                trained = zstandard.train_dictionary(DICTIONARY_BYTES, texts, level=LEVEL)
                with replacing(path) as temporary:
                    temporary.write_bytes(trained.as_bytes())
                    temporary.chmod(0o644)  # a cache may be shared
    return path.read_bytes()
