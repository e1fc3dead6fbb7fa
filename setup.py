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

from glob import glob
import os

from setuptools import find_packages, setup

package_name = 'foundry_ros'


def models():
    """List the files of each shipped model bundle with the folder that they go to."""
    return [(f'share/{package_name}/models/{os.path.basename(folder)}',
             [path for path in sorted(glob(f'{folder}/*')) if os.path.isfile(path)])
            for folder in sorted(glob('resource/models/*'))]


setup(
    name=package_name,
    version='0.1.0',
    packages=find_packages(include=[package_name, f'{package_name}.*']),
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{package_name}']),
        (f'share/{package_name}', ['package.xml']),
        (f'share/{package_name}/launch', glob('launch/*.launch.py')),
        (f'share/{package_name}/config', glob('config/*')),
        *models(),
    ],
    python_requires='>=3.10',
    # onnxruntime or onnxruntime-gpu, never both in one environment: hence an extra each
    install_requires=['setuptools', 'numpy>=1.21', 'scipy>=1.8', 'PyYAML>=5.4', 'psutil>=5.9'],
    extras_require={
        'cpu': ['onnxruntime>=1.17'],
        'gpu': ['onnxruntime-gpu>=1.17', 'nvidia-ml-py'],
        'replay': ['rosbags>=0.11', 'mcap>=1.0.2', 'Pillow>=11.2', 'tqdm>=4'],
        'test': ['pytest', 'hypothesis', 'onnx'],
    },
    zip_safe=True,
    maintainer='The foundry_ros developers',
    maintainer_email='maintainers@foundry-ros.example',
    description='Finds objects in the clouds of any depth sensor and names them and their parts, '
                'on a token budget that follows the load of the robot.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': ['perception_node = foundry_ros.nodes.start:main',
                            'on_time = foundry_ros.nodes.on_time:main'],
    },
)
