"""Results of stages, in memory and as files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from impress_bench.benchmark.contract import ImageSet
from impress_bench.benchmark.harness.storage.keys import canonical_json


class Result(NamedTuple):
    """The result of a stage: 8-bit images, a record of plain values, or both."""

    images: ImageSet | None = None
    record: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Stored:
    """An object read from the store, every file checked against its digest."""

    manifest: Mapping[str, Any]
    files: Mapping[str, bytes]

    @property
    def seconds(self) -> float:
        """Seconds that the stage took when it was executed."""
        return float(self.manifest["seconds"])

    @property
    def passes(self) -> Mapping[str, int]:
        """Images that passed through each network, forward and backward."""
        return dict(self.manifest.get("passes", {}))

    @property
    def peak_bytes(self) -> int | None:
        """Peak memory while it was executed; None if it was not measured."""
        peak = self.manifest.get("peak_bytes")
        return None if peak is None else int(peak)

    @property
    def images(self) -> int:
        """The number of images in the result."""
        return sum(name.startswith("images/") for name in self.files)

    @property
    def run(self) -> str | None:
        """The run that executed it."""
        return self.manifest.get("run")

    def record(self) -> Mapping[str, Any] | None:
        data = self.files.get("record.json")
        return None if data is None else dict(json.loads(data))

    def result(self) -> Result:
        if "meta.json" not in self.files:
            return Result(record=self.record())
        from impress_bench.benchmark.harness.storage.image_codec import decode

        return Result(decode(self.files), self.record())


def files_of(result: Result) -> dict[str, bytes]:
    """The files that hold a result."""
    files: dict[str, bytes] = {}
    if result.images is not None:
        from impress_bench.benchmark.harness.storage.image_codec import encode

        files.update(encode(result.images))
    if result.record is not None:
        files["record.json"] = canonical_json(result.record).encode()
    return files
