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
Definitions of the vision_msgs that are recorded, for machines without ROS.

The fields of vision_msgs 4.1.1 (Humble to Rolling), ros-perception/vision_msgs, Apache-2.0; what
rosbags does not bring along.
"""

DEFINITIONS = {
    'vision_msgs/msg/ObjectHypothesis': """
string class_id
float64 score
""",
    'vision_msgs/msg/ObjectHypothesisWithPose': """
vision_msgs/ObjectHypothesis hypothesis
geometry_msgs/PoseWithCovariance pose
""",
    'vision_msgs/msg/BoundingBox3D': """
geometry_msgs/Pose center
geometry_msgs/Vector3 size
""",
    'vision_msgs/msg/Detection3D': """
std_msgs/Header header
vision_msgs/ObjectHypothesisWithPose[] results
vision_msgs/BoundingBox3D bbox
string id
""",
    'vision_msgs/msg/Detection3DArray': """
std_msgs/Header header
vision_msgs/Detection3D[] detections
""",
    'vision_msgs/msg/VisionClass': """
uint16 class_id
string class_name
""",
    'vision_msgs/msg/LabelInfo': """
std_msgs/Header header
vision_msgs/VisionClass[] class_map
float32 threshold
""",
}
