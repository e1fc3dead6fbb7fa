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

"""The node's parameters, declared from the one table in :mod:`foundry_ros.config`."""

import difflib
from typing import Any, Callable, List, Mapping

from foundry_ros.config import ConfigError, Params, table, update
from foundry_ros.crop import up_vector
from rcl_interfaces.msg import FloatingPointRange, IntegerRange
from rcl_interfaces.msg import ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

# Parameters that any node may be given; the part before the dot.
COMMON = ('use_sim_time', 'start_type_description_service', 'qos_overrides', 'diagnostic_updater')


class Parameters:
    """
    Declares the table on a node and follows its changes; ``values`` are the current ones.

    The node has to be made with ``automatically_declare_parameters_from_overrides=True``: what
    it was given is looked at before it is declared, so that a mistake is told in one line.
    """

    def __init__(self, node: Node, on_change: Callable[[Params], None]):
        """
        Declare every parameter with the value that the node was given, or its default.

        :param on_change: called with the new values before they are set; it may raise
            ConfigError to refuse them.
        :raises ConfigError: a value that its parameter cannot take.
        """
        self._node = node
        self._on_change = on_change
        given = _take_given(node)
        known = table()
        self.values = _checked(Params(), {k: v for k, v in given.items() if k in known})
        for name, (value, metadata) in table(self.values).items():
            node.declare_parameter(name, value, descriptor(value, metadata), ignore_override=True)
        _warn_of_unknown(node, [name for name in given if name not in known])
        node.add_on_set_parameters_callback(self._on_set)

    def _on_set(self, parameters: List[Parameter]) -> SetParametersResult:
        """
        Check and take over what is set.

        Humble has no callback for afterwards, so the values are in effect a moment before they
        can be read back.
        """
        known = table()
        changes = {p.name: p.value for p in parameters if p.name in known}
        try:
            values = _checked(self.values, changes)
            self._on_change(values)
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self.values = values
        return SetParametersResult(successful=True)


def descriptor(default: Any, metadata: Mapping[str, Any]) -> ParameterDescriptor:
    """
    Describe a parameter to ROS.

    :param default: a value of its type.
    :param metadata: as given to :func:`foundry_ros.config.param`.
    """
    described = ParameterDescriptor(description=metadata['description'],
                                    read_only=metadata['read_only'])
    low, high = metadata['low'], metadata['high']
    if metadata['choices'] is not None:
        options = ', '.join(str(choice) for choice in metadata['choices'])
        described.additional_constraints = f'one of {options}'
    elif low is not None and isinstance(default, float):
        described.floating_point_range = [
            FloatingPointRange(from_value=float(low), to_value=float(high))]
    elif low is not None:
        described.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
    # "3" is a fine value for a distance; the type is checked with the range
    described.dynamic_typing = isinstance(default, float)
    return described


def _take_given(node) -> Mapping[str, Any]:
    """Undeclare what a params file or the command line declared, and give its values."""
    given = {name: parameter.value for name, parameter in
             node.get_parameters_by_prefix('').items() if name.split('.')[0] not in COMMON}
    for name in given:
        node.undeclare_parameter(name)
    return given


def _checked(values: Params, changes: Mapping[str, Any]) -> Params:
    """Change values; raises ConfigError."""
    changed = update(values, changes)
    up_vector(changed.crop.up)
    return changed


def _warn_of_unknown(node, names):
    """Tell of names that no parameter has; a params file may hold another node's, too."""
    for name in names:
        near = difflib.get_close_matches(name, table(), 1, 0.0)[0]
        node.get_logger().warning(f'there is no parameter {name!r}, it is ignored; did you mean '
                                  f'{near!r}?')
