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

"""The table of what data is there: counts, corrupt samples by name, where to get the rest."""

import numpy as np
import pytest

pytest.importorskip('h5py', reason='the training side needs h5py')

import published_sets as made  # noqa: E402, I100
from training.__main__ import main  # noqa: E402
from training.arguments import overrides_last  # noqa: E402


def check(root, capsys):
    """Give the exit code, the table by set and split, and all that was printed."""
    code = main(['check-data', '--data-root', str(root)])
    said = capsys.readouterr()
    rows = [line.split('  ') for line in said.out.splitlines()]
    rows = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    return code, {tuple(row[:2]): row[2:] for row in rows if len(row) > 4}, said


def test_what_is_there_is_counted_and_what_is_missing_says_how_to_get_it(tmp_path, capsys):
    made.modelnet40_hdf5(tmp_path)
    made.shapenetpart(tmp_path)
    code, rows, said = check(tmp_path, capsys)
    assert code == 0 and said.err == ''
    assert rows['modelnet40_hdf5', 'train'] == ['6 of 9,840', '3', '0', 'ok']
    assert rows['shapenetpart', 'val'] == ['1 of 1,870', '1', '0', 'ok']
    for name, address in (('shapenet55', 'Point-BERT'), ('objaverse', 'huggingface.co'),
                          ('scanobjectnn_pb', 'hkust-vgd'), ('omniobject3d', 'opendatalab')):
        section = said.out.split(f'missing: {name}\n')[1].split('missing:')[0]
        assert address in section and str(tmp_path) in section
    assert 'missing: modelnet40_hdf5' not in said.out


def test_a_corrupt_sample_is_named_and_fails(tmp_path, capsys):
    folder = made.modelnet40_txt(tmp_path)
    (folder / 'airplane/airplane_0001.txt').write_text('1,2\n')
    code, rows, said = check(tmp_path, capsys)
    assert code == 1 and said.err.splitlines()[-1] == 'error: 1 of 2 splits are broken'
    assert rows['modelnet40_txt', 'train'] == ['2 of 9,843', '1', '1', 'broken']
    assert rows['modelnet40_txt', 'test'][-1] == 'ok'
    assert 'airplane_0001: 2 columns instead of 6' in said.out


def compact(root, count=12):
    """Lay out infomr in its compact form."""
    rng = np.random.default_rng(0)
    (root / 'infomr').mkdir()
    path = root / 'infomr/infomr_1024.npz'
    points = rng.integers(-9999, 9999, (count, 1024, 3)).astype(np.int16)
    labels = np.arange(count) % 3
    return path, {'points': points, 'labels': labels, 'scale': 1e-4,
                  'class_names': np.array(['a', 'b', 'c'])}


def test_compact_sets_are_looked_through_as_well(tmp_path, capsys):
    path, arrays = compact(tmp_path)
    arrays['points'][4] = 7
    arrays['labels'][9] = 3
    np.savez(path, **arrays)
    code, rows, said = check(tmp_path, capsys)
    assert code == 1 and rows[('infomr', '10 of 1,977')][-2:] == ['2', 'broken']
    assert 'infomr[4]' in said.out and 'infomr[9]' in said.out


def test_a_file_that_is_cut_short_is_broken_not_missing(tmp_path, capsys):
    path, arrays = compact(tmp_path)
    np.savez(path, **arrays)
    path.write_bytes(path.read_bytes()[:5000])
    code, _, said = check(tmp_path, capsys)
    assert code == 1 and 'infomr_1024.npz cannot be read' in said.out
    assert 'missing: infomr' not in said.out


def test_one_variant_of_several_in_a_folder_may_be_missing(tmp_path, capsys):
    folder = made.scanobjectnn(tmp_path)
    for path in (folder / 'main_split_nobg').iterdir():
        path.unlink()
    code, rows, said = check(tmp_path, capsys)
    assert code == 0 and rows['scanobjectnn_pb', 'test'][-1] == 'ok'
    assert 'missing: scanobjectnn_only' in said.out


def test_overrides_may_be_written_as_options_anywhere():
    asked = ['pretrain', 'seed=2', '--trainer.devices', '2', '--config', 'a=b.yaml', '--resume',
             '--optimiser.lr=1e-4', 'distilled=']
    assert overrides_last(asked) == [
        'pretrain', '--config', 'a=b.yaml', '--resume', 'seed=2', 'trainer.devices=2',
        'optimiser.lr=1e-4', 'distilled=']
