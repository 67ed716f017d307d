"""A data set of the Hugging Face hub by id: its parquet files, downloaded when online, else from the local cache.

Only parquet files are read; no code of a data set runs. `refs/convert/parquet` is the hub's own conversion of sets kept
otherwise. The hub is asked first, so that a half-filled cache is completed. Offline, a missing set is an error that
says what to fetch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness.data.files import MissingData
from harness.data.parquet import ParquetImages
from harness.options import option


@dataclass(frozen=True, kw_only=True)
class HubImages(ParquetImages):
    """Images of a data set on the Hugging Face hub."""

    id: str = option(in_id=False, help="owner/name; the images are identified by their pixels")
    revision: str = option("main", in_id=False, help="branch, tag, commit or refs/convert/parquet")

    name = "hub"
    version = 1

    def files(self) -> list[Path]:
        found = sorted(self._folder.glob(self.glob), key=lambda p: p.relative_to(self._folder).as_posix())
        if not found:
            raise MissingData(self._missing(f"the cached copy has no file that fits {self.glob!r}"))
        return found

    def absent(self) -> str:
        try:
            found = self._snapshot(local=True)
        except MissingData as missing:
            return str(missing)
        return "" if any(found.glob(self.glob)) else self._missing("not in the cache")

    @cached_property
    def _folder(self) -> Path:
        from huggingface_hub import constants

        return self._snapshot(local=constants.HF_HUB_OFFLINE)

    def _snapshot(self, local: bool) -> Path:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

        patterns = [self.glob, self.glob.removeprefix("**/")]
        try:
            return Path(
                snapshot_download(
                    self.id,
                    repo_type="dataset",
                    revision=self.revision,
                    allow_patterns=patterns,
                    local_files_only=local,
                )
            )
        except HFValidationError as error:
            raise MissingData(f"data set {self.id!r}: {error}") from None
        except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
            reason = "not in the cache" if local else (str(error).strip() or type(error).__name__)
            raise MissingData(self._missing(reason.splitlines()[0])) from None

    def _missing(self, reason: str) -> str:
        revision = "" if self.revision == "main" else f" --revision {self.revision}"
        command = f"hf download {self.id} --repo-type dataset --include '{self.glob}'{revision}"
        return (
            f"missing data set {self.id} ({reason}); looked in huggingface_hub's cache ($HF_HUB_CACHE); fetch it"
            f" with: {command}; or give the files themselves: {{name: parquet, path: FOLDER}}"
        )
