# Copyright 2026 The foundry_ros developers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""
A folder of results that is only ever seen whole.

Everything is written to a hidden folder inside it and moved when whole; where that does not
happen, nothing is left behind.
"""

import errno
import io
import json
import os
from pathlib import Path
import re
import shutil
import tempfile

import numpy as np

LINE = 99
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG)
# What a run writes, and so what the next one may replace.
_OURS = re.compile(r'\d{6}(_\w+)?\.(png|npy)')


class OutputError(ValueError):
    """A folder or file that cannot be written, in one line."""


class OutputFolder:
    """
    Context manager: write below ``staging``; :meth:`publish` moves it all to ``path``.

    Leaving without having published removes what was written.
    """

    def __init__(self, path):
        """
        Make the folder and try to write there.

        :raises OutputError: it cannot be written, or holds other things where results go.
        """
        self.path = Path(path)
        made = [p for p in (self.path, *self.path.parents) if not p.exists()]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._refuse_strangers()
            self.staging = Path(tempfile.mkdtemp(prefix='.unfinished-', dir=self.path))
        except OSError as error:
            _remove_empty(made)
            reason = 'it is a file' if isinstance(error, FileExistsError) else error.strerror
            raise OutputError(f'cannot write to {self.path}: {reason}; choose another folder '
                              'with --output') from None
        self._made = made

    def _refuse_strangers(self):
        """Never replace a folder that holds anything but results of an earlier run."""
        for name in ('frames', 'masks'):
            folder = self.path / name
            found = os.listdir(folder) if folder.exists() else []
            other = next((f for f in found if not _OURS.fullmatch(f)), None)
            if other:
                raise OutputError(f'{folder} holds {other}, which is no result of ours and would '
                                  'be lost: choose another folder with --output')

    def __enter__(self):
        """Start to write."""
        return self

    def folder(self, name: str) -> Path:
        """Make a folder in the staging area."""
        folder = self.staging / name
        folder.mkdir(exist_ok=True)
        return folder

    def save_array(self, name: str, array: np.ndarray):
        """Write an .npy file to the staging area."""
        buffer = io.BytesIO()  # numpy's own way to a file hides that the disk is full
        np.save(buffer, array)
        (self.staging / name).write_bytes(buffer.getvalue())

    def write_json(self, name: str, content):
        """Write a JSON file to the staging area."""
        text = readable_json(content) + '\n'
        (self.staging / name).write_text(text, encoding='utf-8')

    def publish(self):
        """Move what was written to its place, over the results of an earlier run."""
        for name in ('frames', 'masks', 'summary.json', 'detections.mcap'):
            _remove(self.path / name)
        for item in sorted(self.staging.iterdir()):
            os.replace(item, self.path / item.name)

    def __exit__(self, kind, error, trace):
        """Remove what was not published; say so where the disk was the reason."""
        shutil.rmtree(self.staging, ignore_errors=True)
        _remove_empty(self._made)
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            raise OutputError(f'cannot write to {self.path}: {error.strerror}; nothing of this '
                              'run was kept') from None
        return False


def readable_json(content, indent: int = 0) -> str:
    """
    Write JSON for people, too: whatever fits on a line is on one line.

    :raises ValueError: a number is not finite.
    """
    line = json.dumps(content, allow_nan=False, ensure_ascii=False)
    if not isinstance(content, (list, dict)) or len(line) + indent < LINE:
        return line
    inner = '\n' + ' ' * (indent + 1)
    if isinstance(content, dict):
        items = [f'{json.dumps(key, ensure_ascii=False)}: {readable_json(value, indent + 1)}'
                 for key, value in content.items()]
        return '{' + inner + f',{inner}'.join(items) + inner[:-1] + '}'
    items = [readable_json(value, indent + 1) for value in content]
    return '[' + inner + f',{inner}'.join(items) + inner[:-1] + ']'


def write_file(path, content: bytes):
    """
    Write one file under a temporary name and move it to its place.

    :raises OutputError: it cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f'.{path.name}.unfinished')
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        _remove(temporary)
        raise OutputError(f'cannot write {path}: {error.strerror}') from None


def _remove(path):
    """Remove a file or folder if it is there and may be removed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    elif path.exists() or path.is_symlink():
        try:
            path.unlink()
        except OSError:
            pass


def _remove_empty(folders):
    """Remove the folders that this run made, if nothing came into them."""
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return
