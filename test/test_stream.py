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

"""Sharded sets: written whole, read at random, streamed to processes without overlap or loss."""

import io
import logging
import tarfile
import tracemalloc

import numpy as np
import pytest
import tiny_runs

pytest.importorskip('torch', reason='the training side needs torch')

from filelock import FileLock, Timeout  # noqa: E402, I100
from torch.utils.data import DataLoader  # noqa: E402
from training.__main__ import main  # noqa: E402
from training.data import sets, shards  # noqa: E402
from training.data.clouds import Augment, Clouds  # noqa: E402
from training.data.mixture import Mixture  # noqa: E402
from training.data.shapes import DataError  # noqa: E402
from training.data.stream import Stream  # noqa: E402

COUNT = 64


def marked(i, points=COUNT):
    """Make a cloud whose flatness tells it from all others."""
    cloud = np.random.default_rng(i).normal(size=(points, 3))
    cloud /= np.linalg.norm(cloud, axis=1, keepdims=True)
    return (cloud * [1, 1, 0.1 + i / 100]).astype(np.float32)


class Reader:
    """Read a marked cloud, or fail; a plain function's closure would not reach the writers."""

    def __init__(self, i, bad=False):
        self.i, self.bad = i, bad

    def __call__(self):
        if self.bad:
            raise ValueError('cut short')
        return marked(self.i)


def write(folder, count=37, bad=()):
    samples = [(f'shape{i:03}', -1, Reader(i, i in bad)) for i in range(count)]
    return shards.write(folder, 'train', samples, COUNT, each=8)


def test_shards_give_back_what_was_written_to_the_precision_stated(tmp_path):
    assert write(tmp_path) == []
    read = shards.Shards(tmp_path, 'train')
    assert len(read) == 37 and len(read.files) == 5
    for i in (0, 7, 8, 36):
        order = np.lexsort(read[i].T)
        cloud = marked(i) - marked(i).mean(0)
        cloud /= np.linalg.norm(cloud, axis=1).max()
        np.testing.assert_allclose(read[i][order], cloud[np.lexsort(cloud.T)], atol=2e-5)
    assert read.name(9) == 'train-000001.tar/shape009.npy'


def test_shards_are_webdataset_s_layout_and_foreign_ones_need_no_index(tmp_path):
    for k in range(2):
        with tarfile.open(tmp_path / f'train-{k:06}.tar', 'w') as tar:
            for i in range(3):
                for name, content in ((f'{k}{i}.npy', marked(3 * k + i)), (f'{k}{i}.json', None)):
                    data = io.BytesIO(b'{}')
                    if content is not None:
                        data = io.BytesIO()
                        np.save(data, content)
                    member = tarfile.TarInfo(name)
                    member.size = len(data.getvalue())
                    tar.addfile(member, io.BytesIO(data.getvalue()))
    read = shards.Shards(tmp_path, 'train')
    assert len(read) == 6
    np.testing.assert_array_equal(read[4], marked(4))


def test_writing_goes_on_where_it_stopped_and_leaves_no_half_shard(tmp_path):
    write(tmp_path)
    whole = {p.name: p.stat().st_mtime_ns for p in tmp_path.glob('*.tar')}
    (tmp_path / 'train-000002.tar').rename(tmp_path / 'train-000002.part')  # as a kill leaves it
    write(tmp_path)
    after = {p.name: p.stat().st_mtime_ns for p in tmp_path.glob('*.tar')}
    assert set(after) == set(whole)
    assert {n for n in whole if whole[n] != after[n]} == {'train-000002.tar'}
    assert len(shards.Shards(tmp_path, 'train')) == 37


def test_samples_corrupt_when_written_are_left_out_and_named(tmp_path):
    assert write(tmp_path, bad=(3, 20)) == ['shape003: cut short', 'shape020: cut short']
    assert shards.left_out(tmp_path, 'train') == ['shape003: cut short', 'shape020: cut short']
    assert len(shards.Shards(tmp_path, 'train')) == 35


def test_a_sample_corrupt_when_read_is_named_once_and_the_next_one_given(tmp_path, caplog):
    write(tmp_path)
    read = shards.Shards(tmp_path, 'train')
    path = tmp_path / 'train-000001.tar'
    content = bytearray(path.read_bytes())
    content[int(read.offset[9]):int(read.offset[9]) + 6] = b'broken'
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(read[9], read[10])
        read[9]
    assert list(read.corrupt) == ['train-000001.tar/shape009.npy']
    assert len(caplog.records) == 1 and 'shape009' in caplog.text


@pytest.mark.parametrize('spoil', [lambda p: p.unlink(),
                                   lambda p: p.write_bytes(p.read_bytes()[:3000])])
def test_a_shard_that_is_missing_or_cut_short_is_one_clear_line(tmp_path, spoil):
    write(tmp_path)
    spoil(tmp_path / 'train-000003.tar')
    with pytest.raises(DataError, match='train-000003.tar is missing or has another size'):
        shards.Shards(tmp_path, 'train')


@pytest.mark.parametrize('processes, workers', [(1, 0), (2, 2), (4, 0)])
def test_processes_and_workers_share_a_pass_without_overlap_or_loss(tmp_path, processes, workers):
    write(tmp_path, 36)
    seen = []
    for rank in range(processes):
        stream = Stream(shards.Shards(tmp_path, 'train'), 4, seed=3)
        stream.clouds = Spy(stream)
        mixture = Mixture([stream], 9, epoch=0, seed=3, part=(rank, processes))
        batches = DataLoader(mixture, batch_size=None, num_workers=workers)
        mine = [i for b in batches for i in b['labels'].tolist()]
        assert len(mine) == 36 // processes
        seen += mine
    assert sorted(seen) == list(range(36))


class Spy:
    """Give the shapes that a stream draws in the place of their labels."""

    def __init__(self, stream):
        self.stream, self.real = stream, stream.clouds

    def __call__(self, rng, step, mine):
        row = self.real(rng, step, mine)
        row['labels'][:] = row['labels'].new_tensor(self.stream.draw(step)[mine])
        return row


def test_passes_follow_each_other_and_differ_and_a_batch_may_span_two(tmp_path):
    write(tmp_path)
    stream = Stream(shards.Shards(tmp_path, 'train'), 5, seed=0)
    drawn = np.concatenate([stream.draw(step) for step in range(15)])
    first, second = drawn[:37], drawn[37:74]
    assert sorted(first) == sorted(second) == list(range(37))
    assert not np.array_equal(first, second)
    again = Stream(shards.Shards(tmp_path, 'train'), 5, seed=0)
    assert np.array_equal(again.draw(7), stream.draw(7))  # out of order, as after a resume


def test_epochs_go_on_in_the_stream(tmp_path):
    write(tmp_path)
    stream = Stream(shards.Shards(tmp_path, 'train'), 4, seed=0)
    stream.clouds = Spy(stream)
    labels = [Mixture([stream], 3, epoch, 0)[step]['labels'].tolist()
              for epoch in range(3) for step in range(3)]
    assert len({i for row in labels for i in row}) == 36


def test_a_window_reads_few_shards_at_a_time(tmp_path):
    write(tmp_path)
    stream = Stream(shards.Shards(tmp_path, 'train'), 4, seed=0, window=2)
    order = stream.shards.shard[stream.order(0)]
    assert len(set(order[:12])) <= 2 and len(set(order)) == 5


def test_parts_of_a_batch_are_the_whole_batch(tmp_path):
    write(tmp_path)
    stream = Stream(shards.Shards(tmp_path, 'train'), 4, seed=0)
    whole = Mixture([stream], 9, 1, 0)[2]
    parts = [Mixture([stream], 9, 1, 0, (rank, 2))[2] for rank in range(2)]
    for key in ('groups', 'centers', 'turn'):
        for rank, part in enumerate(parts):
            np.testing.assert_array_equal(part[key], whole[key][rank::2])
    assert whole['groups'].shape == (4, 64, 32, 3)


def test_the_published_recipe_reads_shards_a_few_at_a_time(tmp_path, capsys):
    write(tmp_path / 'objaverse/shards', count=100)  # in 13 shards
    shapes = sets.read('objaverse_train', tmp_path)
    count = len(shapes.labels)
    clouds = Clouds(shapes, 4, epoch=1, seed=0, augment=Augment())
    assert sorted(clouds.order) == list(range(count))
    assert not np.array_equal(clouds.order, Clouds(shapes, 4, 2, 0, Augment()).order)
    assert len(set(shapes.points.shard[clouds.order[:56]])) <= 8  # of a window
    assert main(['pretrain', '--config', 'training/configs/paper/pretrain.yaml',
                 f'data.root={tmp_path}', f'output={tmp_path}/out', 'data.train=objaverse_train',
                 'data.batch=6', 'data.points=64', 'data.groups=20', 'data.neighbours=8',
                 'data.workers=2', 'trainer.accelerator=cpu', 'trainer.epochs=2',
                 'optimiser.warm_up_epochs=1', 'predictor.width=8', 'predictor.depth=1',
                 'predictor.heads=2', 'collapse.from_epoch=5', *(
                     f'model.{k}={v}' for k, v in tiny_runs.TINY.items())]) == 0
    assert (tmp_path / 'out/last.ckpt').exists()


def test_memory_does_not_grow_with_what_is_read(tmp_path):
    samples = [(f'shape{i:03}', -1, Reader(i)) for i in range(60)]
    shards.write(tmp_path, 'train', samples, 8192, each=20)
    read = shards.Shards(tmp_path, 'train')
    read[0]
    tracemalloc.start()
    for i in range(len(read)):
        read[i]
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 200_000  # all of it is 3 MB
    with pytest.raises(DataError, match='does not fit into memory'):
        np.abs(read)


def test_objaverse_goes_from_its_published_files_to_a_source_of_training(tmp_path, capsys):
    folder = tmp_path / 'objaverse'
    (folder / '8192_npy').mkdir(parents=True)
    for i in range(5):
        cloud = np.hstack([marked(i, 8192), np.full((8192, 3), 0.5, np.float32)])
        np.save(folder / f'8192_npy/{i:032x}_8192.npy', cloud)
    (folder / f'8192_npy/{3:032x}_8192.npy').write_bytes(b'')
    (folder / 'val_object_ids_3000.txt').write_text(f'{4:032x}\n')
    assert main(['shards', '--data-root', str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert 'train: 3 shapes' in said and '1 corrupt' in said and f'{3:032x}' in said
    train, val = (sets.read(f'objaverse_{s}', tmp_path) for s in ('train', 'val'))
    assert (len(train.labels), len(val.labels)) == (3, 1)
    assert train.points[2].shape == (8192, 3)
    (source,) = sets.sources({'root': tmp_path, 'mix': {'objaverse_train': 3}}, seed=0)
    assert sorted(source.draw(4)) == [0, 1, 2]


def test_objaverse_without_its_files_is_one_clear_line(tmp_path, capsys):
    assert main(['shards', '--data-root', str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and '8192_npy is missing' in error


def test_one_process_at_a_time_makes_the_tokens_of_a_set(tmp_path, monkeypatch):
    def build(folder, *_):
        with pytest.raises(Timeout):
            FileLock(f'{folder}.lock').acquire(blocking=False)
        return 'made'

    monkeypatch.setattr(sets.cache, 'build', build)
    monkeypatch.setattr(sets, 'read', lambda *_: None)
    data = {'root': '', 'cache': tmp_path / 'cache', 'clouds': {'infomr': [1, 1]}}
    assert sets.tokens('infomr', data) == 'made'
    with FileLock(tmp_path / 'cache/infomr.lock', blocking=False):
        pass  # it is free again
