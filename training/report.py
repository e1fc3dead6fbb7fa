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
Print the committed results as the tables of the README: ``python -m training.report``.

Everything comes from ``training/results/*.json``, written by ``evaluate`` and ``probe``; tables
of the study are printed by ``reproduce``.
"""

import json
from pathlib import Path
from typing import List

RESULTS = Path('training/results')


def percent(value: float) -> str:
    """Write a share with one decimal."""
    return f'{100 * value:.1f}'


def bundle_table(results: dict) -> List[str]:
    """Set accuracy, parts and calibration side by side for every budget."""
    lines = ['| tokens | complete | single view | parts, complete (mIoU_I / mIoU_C) '
             '| category given | parts, single view | calibration error |',
             '|---|---|---|---|---|---|---|']
    for budget, row in results['accuracy'].items():
        whole, view = row['part_miou']['complete'], row['part_miou']['single_view']
        cells = [f'{percent(row[k]["accuracy"])} ± {percent(row[k]["interval"])}'
                 for k in ('complete', 'single_view')]
        cells += [f'{percent(whole["miou_i"])} ± {percent(whole["interval"])} / '
                  f'{percent(whole["miou_c"])}',
                  f'{percent(whole["miou_i_category_given"])} / '
                  f'{percent(whole["miou_c_category_given"])}', percent(view['miou_i']),
                  f'{percent(row["calibration_error"]["complete"])} / '
                  f'{percent(row["calibration_error"]["single_view"])}']
        lines.append(f'| {budget} | ' + ' | '.join(cells) + ' |')
    return lines


def unknown_lines(results: dict) -> List[str]:
    """Say how well things of no class are told from known ones."""
    return [f'Unknown from known, area under the ROC at {budget} tokens: ' + ', '.join(
        f'{name.replace("auroc_", "").replace("_", " ")} {value:.3f}'
        for name, value in row['unknown'].items()) + '.'
        for budget, row in results['accuracy'].items() if 'unknown' in row]


def probe_lines(results: dict) -> List[str]:
    """Say what the pretraining is worth."""
    return [f'Linear probe, {name} weights: complete {percent(row["complete"])}, single view '
            f'{percent(row["single_view"])}.' for name, row in results['accuracy'].items()]


def main():
    """Print what there is."""
    for path in sorted(RESULTS.glob('*.json')):
        results = json.loads(path.read_text())
        print(f'\n{path.stem}\n')
        if 'bundle' in results:
            lines = bundle_table(results) + [''] + unknown_lines(results)
        else:
            lines = probe_lines(results)
        print('\n'.join(lines))


if __name__ == '__main__':
    main()
