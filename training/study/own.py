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

"""A table of the study's own for a terminal or a page: rows, what is compared, notes."""

from typing import List

from training.study import equal_cost, few_shot
from training.study.runs import Study
from training.study.tables import aligned, body, differences, HEAD, marked, NOTE


def compared(study: Study, name: str) -> List[List[List[str]]]:
    """Give the cells of all comparisons that a table asks for, each with a heading."""
    made = [differences(study, name), few_shot.differences(study, name), *(
        equal_cost.rows(study, name, by) for by in equal_cost.BY)]
    return [told for told in made if told]


def table(study: Study, name: str) -> List[str]:
    """Give the lines of a table for a terminal."""
    return [study.tables[name]['title'], '', *aligned([HEAD, *body(study, name)]), '',
            *(line for told in compared(study, name) for line in (*aligned(told), '')),
            *study.tables[name].get('notes', []), NOTE]


def markdown(study: Study, name: str) -> List[str]:
    """Give the lines of a table for a page."""
    return [*marked([HEAD, *body(study, name)]),
            *(line for told in compared(study, name) for line in marked(told)),
            *(part for note in study.tables[name].get('notes', []) for part in (note, '')), NOTE]
