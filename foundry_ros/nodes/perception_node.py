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

"""The lifecycle node: clouds from a topic through the pipeline, results to topics."""

import time
import traceback

from foundry_ros import results
from foundry_ros.cloud import CloudError, from_message, transform
from foundry_ros.config import ConfigError, Params
from foundry_ros.load import LoadMonitor
from foundry_ros.nodes.cloud_input import CloudInput, SAY_AGAIN_S
from foundry_ros.nodes.diagnostics import Diagnostics, Record
from foundry_ros.nodes.frames import FrameError, Frames, in_frame
from foundry_ros.nodes.latest import LatestWorker
from foundry_ros.nodes.lifecycle import refuse_impossible, told
from foundry_ros.nodes.logs import forward_logs
from foundry_ros.nodes.memory import Trimmer
from foundry_ros.nodes.messages import fill, outgoing, qos
from foundry_ros.nodes.parameters import Parameters
from foundry_ros.nodes.transport import Transport
from foundry_ros.pipeline import Frame, Pipeline
from foundry_ros.student import BundleError, default_bundle, load_bundle, Student
from rclpy.lifecycle import Node, State, TransitionCallbackReturn
from sensor_msgs.msg import PointCloud2
from std_srvs.srv import SetBool

PER_CLOUD = [topic for topic in results.TOPICS if topic not in results.LATCHED]


class PerceptionNode(Node):
    """
    One sensor's clouds in, named objects and parts out.

    Configuring loads the model, activating subscribes. The executor's thread takes clouds and
    answers services; a second one works on the latest cloud.
    """

    def __init__(self, **kwargs):
        """
        Declare the parameters; nothing is loaded yet.

        :raises ConfigError: a parameter was given a value that it cannot take.
        """
        super().__init__(results.NODE, automatically_declare_parameters_from_overrides=True,
                         **kwargs)
        self._pipeline = self._input = None
        self._outputs = {}
        self._enabled = True
        self._frames = Frames(self)
        self._record = Record()
        self._worker = LatestWorker(self._work)
        self._trimmer = Trimmer()
        self._transport = Transport()
        self._settings = Parameters(self, self._apply)
        self._service = self.create_service(SetBool, '~/enable', self._on_enable)
        refuse_impossible(self)
        self._diagnostics = Diagnostics(self, self._record, self._doing, lambda: self._pipeline)
        forward_logs(self.get_logger())

    @property
    def params(self) -> Params:
        """Give the parameters in effect."""
        return self._settings.values

    @told
    def on_configure(self, state: State) -> TransitionCallbackReturn:
        """Load the model and make the publishers."""
        model = self.params.model
        try:
            bundle = load_bundle(model.path or default_bundle())
            self.get_logger().info(f'loading {bundle.path}')
            student = Student(bundle, model.providers, model.threads, model.max_batch)
            _check_menu(self.params, student)
            self._pipeline = Pipeline(self.params, student, LoadMonitor())
        except (BundleError, ConfigError) as error:
            self.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        self._listen(self.params)
        for topic, kind in results.TOPICS.items():
            self._outputs[topic] = self.create_lifecycle_publisher(
                type(fill(kind, {})), self.resolve_topic_name(f'~/{topic}'), qos(topic))
        self.get_logger().info(f'{bundle.name} {bundle.version}: {len(bundle.classes)} classes, '
                               f'on {", ".join(student.providers)}')
        if missing := self._pipeline.load.missing:
            self.get_logger().info(f'this machine does not tell: {", ".join(missing)}')
        return TransitionCallbackReturn.SUCCESS

    @told
    def on_activate(self, state: State) -> TransitionCallbackReturn:
        """Subscribe and start to work."""
        result = super().on_activate(state)
        self._publish_info()
        self._worker.start()
        self._input = CloudInput(
            self, self.params.output.input_reliability, self._on_cloud,
            [publisher.topic_name for publisher in self._outputs.values()])
        self.get_logger().info(f'waiting for clouds on {self._input.topic}')
        return result

    @told
    def on_deactivate(self, state: State) -> TransitionCallbackReturn:
        """Finish the cloud in work and unsubscribe."""
        self._stop()
        return super().on_deactivate(state)

    @told
    def on_cleanup(self, state: State) -> TransitionCallbackReturn:
        """Let go of the model and the publishers."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    @told
    def on_shutdown(self, state: State) -> TransitionCallbackReturn:
        """Stop, whatever the state."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: State) -> TransitionCallbackReturn:
        """Start anew from the beginning."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def destroy_node(self):
        """End the thread before what it uses."""
        self._stop()
        self._frames.close()
        super().destroy_node()

    def _stop(self):
        """Unsubscribe and wait for the cloud in work."""
        if self._input is not None:
            self._input.close()
            self._input = None
        self._worker.stop()

    def _release(self):
        """Undo configure."""
        self._stop()
        for publisher in self._outputs.values():
            self.destroy_lifecycle_publisher(publisher)
        self._outputs = {}
        if self._pipeline is not None:
            self._pipeline.load.close()
        self._pipeline = self._record.frame = None
        self._record.error = ''
        self._frames.close()
        self._trimmer.trim()

    def _on_cloud(self, message: PointCloud2):
        """Hand a cloud to the worker, in place of one that waits."""
        if self._input is None:
            return  # it came while the node was being deactivated
        self._record.received += 1
        if not self._enabled or not self._wanted():
            return
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        self._pipeline.controller.arrived(stamp)
        late = self._transport.excess_ms(stamp, self.get_clock().now().nanoseconds)
        since = time.perf_counter() - late / 1e3
        self._record.dropped += self._worker.put((since, message))

    def _wanted(self):
        """List the topics that somebody listens to; without any there is no work."""
        output = self.params.output
        off = {'parts': not output.parts, 'markers': not output.markers}
        return [topic for topic in PER_CLOUD if not off.get(topic)
                and self._outputs[topic].get_subscription_count()]

    def _work(self, item):
        """Work on a cloud; in the worker's thread. Whatever happens, the node goes on."""
        since, message = item
        try:
            frame, xyz = self._process(message)
            self._publish(frame, xyz)
            age = (time.perf_counter() - since) * 1e3
            self._pipeline.controller.model.outside(age - frame.latency_ms['total'])
            self._record.done(frame, age)
        except (CloudError, FrameError, _TooOld) as error:
            self._record.failed(str(error))
            self.get_logger().warning(f'cloud left out: {error}',
                                      throttle_duration_sec=SAY_AGAIN_S)
        except Exception as error:  # noqa: B902 a defect, told in full
            if not self.context.ok():
                return  # ROS ended while a cloud was in work
            self._record.failed(f'{type(error).__name__}: {error}')
            self.get_logger().error(traceback.format_exc(), throttle_duration_sec=SAY_AGAIN_S)
        finally:
            self._trimmer.done(len(message.data))

    def _process(self, message):
        """Give frame and points, both in the frame that was asked for."""
        params = self.params
        cloud = from_message(message)
        self._refuse_old(cloud.stamp, params.output.max_input_age)
        up, target = None, params.output.target_frame
        if params.crop.up_frame:
            up = self._frames.up(params.crop.up_frame, cloud.frame_id, cloud.stamp)
        # looked up first, so that no cloud is worked on in vain
        matrix, pose = (self._frames.matrix(name, cloud.frame_id, cloud.stamp) if name else None
                        for name in (target, params.tracks.frame))
        frame = self._pipeline.process(cloud, up, pose)
        if frame.notice:
            self.get_logger().warning(f'nothing to look at in this cloud: {frame.notice}',
                                      throttle_duration_sec=SAY_AGAIN_S)
        if matrix is None:
            return frame, cloud.xyz
        return in_frame(frame, target, matrix), transform(cloud.xyz, matrix)

    def _publish(self, frame: Frame, xyz):
        """Publish what somebody listens to."""
        pipeline = self._pipeline
        for topic in self._wanted():
            self._outputs[topic].publish(outgoing(
                topic, frame, xyz, pipeline.student.bundle.classes,
                pipeline.controller.period_ms))

    def _publish_info(self):
        """Publish what the ids mean; it is kept for those who subscribe later."""
        bundle = self._pipeline.student.bundle
        threshold = self._pipeline.params.model.score_threshold
        stamp = self.get_clock().now().nanoseconds
        for topic, names in (('label_info', bundle.classes), ('part_info', bundle.parts)):
            content = results.label_info(Frame(stamp, '', 0, {}, (), None), names, threshold)
            self._outputs[topic].publish(fill(results.TOPICS[topic], content))

    def _refuse_old(self, stamp, limit):
        """Raise where a cloud is older than allowed."""
        age = (self.get_clock().now().nanoseconds - stamp) / 1e9
        if limit and age > limit:
            raise _TooOld(f'it is {age:.2f} s old, output.max_input_age allows {limit} s; do '
                          'the clocks agree, and is use_sim_time set with a recording?')

    def _apply(self, params: Params):
        """Bring new parameters into effect; raises ConfigError to refuse them."""
        if self._pipeline is None:
            return
        _check_menu(params, self._pipeline.student)
        self._listen(params)
        before = self._pipeline.params.model.score_threshold
        self._pipeline.student.max_batch = params.model.max_batch
        self._pipeline.params = params
        if self._input is not None and before != params.model.score_threshold:
            self._publish_info()

    def _listen(self, params: Params):
        """Listen to tf where it is of use."""
        if params.output.target_frame or params.crop.up_frame or params.tracks.frame:
            self._frames.listen()

    def _on_enable(self, request, response):
        """Switch the work on or off; the model stays loaded."""
        self._enabled = request.data
        response.success = True
        response.message = self._doing()
        self.get_logger().info(f'asked to {"work" if request.data else "pause"}: '
                               f'{response.message}')
        return response

    def _doing(self) -> str:
        """Tell in a few words what the node does."""
        if self._pipeline is None:
            return 'not configured'
        if self._input is None:
            return 'not active'
        if not self._enabled:
            return 'paused by ~/enable'
        if not self._wanted():
            return 'idle: nobody listens'
        return 'working' if self._input.seen else 'waiting for clouds'


class _TooOld(ValueError):
    """A cloud that came too late to be of use."""


def _check_menu(params: Params, student: Student):
    """Raise ConfigError where the bundle does not offer the budget."""
    menu = student.bundle.token_budgets
    if params.token_budget not in (0, *menu):
        raise ConfigError(f'the model {student.bundle.name} offers the token budgets 0 (follow '
                          f'the load), {", ".join(str(b) for b in menu)}, not '
                          f'{params.token_budget}')
