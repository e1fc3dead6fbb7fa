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

"""The words behind the WordNet synset numbers that ShapeNet's sets name their folders by."""

SHAPENET55 = {
    '02691156': 'airplane', '02747177': 'trash_bin', '02773838': 'bag', '02801938': 'basket',
    '02808440': 'bathtub', '02818832': 'bed', '02828884': 'bench', '02843684': 'birdhouse',
    '02871439': 'bookshelf', '02876657': 'bottle', '02880940': 'bowl', '02924116': 'bus',
    '02933112': 'cabinet', '02942699': 'camera', '02946921': 'can', '02954340': 'cap',
    '02958343': 'car', '02992529': 'cellphone', '03001627': 'chair', '03046257': 'clock',
    '03085013': 'keyboard', '03207941': 'dishwasher', '03211117': 'display',
    '03261776': 'earphone', '03325088': 'faucet', '03337140': 'file_cabinet',
    '03467517': 'guitar', '03513137': 'helmet', '03593526': 'jar', '03624134': 'knife',
    '03636649': 'lamp', '03642806': 'laptop', '03691459': 'loudspeaker', '03710193': 'mailbox',
    '03759954': 'microphone', '03761084': 'microwave', '03790512': 'motorbike', '03797390': 'mug',
    '03928116': 'piano', '03938244': 'pillow', '03948459': 'pistol', '03991062': 'flowerpot',
    '04004475': 'printer', '04074963': 'remote_control', '04090263': 'rifle',
    '04099429': 'rocket', '04225987': 'skateboard', '04256520': 'sofa', '04330267': 'stove',
    '04379243': 'table', '04401088': 'telephone', '04460130': 'tower', '04468005': 'train',
    '04530566': 'watercraft', '04554684': 'washing_machine'}

# Category and how many parts it has; the parts are numbered through in this order, 50 in all.
SHAPENETPART = {
    '02691156': ('airplane', 4), '02773838': ('bag', 2), '02954340': ('cap', 2),
    '02958343': ('car', 4), '03001627': ('chair', 4), '03261776': ('earphone', 3),
    '03467517': ('guitar', 3), '03624134': ('knife', 2), '03636649': ('lamp', 4),
    '03642806': ('laptop', 2), '03790512': ('motorbike', 6), '03797390': ('mug', 2),
    '03948459': ('pistol', 3), '04099429': ('rocket', 3), '04225987': ('skateboard', 3),
    '04379243': ('table', 3)}
