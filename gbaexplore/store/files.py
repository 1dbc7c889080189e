"""The files of a store in a folder, as zarr reads them."""

from __future__ import annotations

import os
import stat
from typing import Any

from zarr.storage import LocalStore

from gbaexplore.basics.errors import UserError


class Files(LocalStore):
    """Like zarr's `LocalStore`, but reads only files: a pipe would never end, and a folder would read as missing."""

    async def get(self, key: str, *args: Any, **kwargs: Any) -> Any:
        self._check(key)
        return await super().get(key, *args, **kwargs)

    def get_sync(self, key: str, *args: Any, **kwargs: Any) -> Any:
        """Return a file's content; some versions of zarr read by this."""
        self._check(key)
        return super().get_sync(key, *args, **kwargs)

    def _check(self, key: str) -> None:
        try:
            mode = os.stat(self.root / key).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise self._damaged(key, f"can't be read ({error.strerror})") from None
        if not stat.S_ISREG(mode):
            raise self._damaged(key, "is not a regular file")

    def _damaged(self, key: str, why: str) -> UserError:
        return UserError(f"{key} {why}, in {self.root}; expected what `gbaexplore run` writes there")
