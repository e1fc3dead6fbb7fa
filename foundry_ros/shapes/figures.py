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

"""Bodies with limbs: a person, a teddy bear, a toy animal."""

from foundry_ros.shapes.mesh import Piece
from foundry_ros.shapes.solids import capsule, ellipsoid
from foundry_ros.shapes.tableware import choose, GLAZES
import numpy as np

FURS = ((150, 104, 66), (196, 158, 110), (110, 78, 58), (206, 190, 168))
SKINS = ((224, 178, 150), (186, 134, 104), (128, 88, 68))


def teddy(rng):
    """Draw a teddy bear that sits."""
    s = rng.uniform(.20, .32)
    fur, paler = choose(rng, FURS), (222, 200, 166)
    torso = ellipsoid(.20 * s, .23 * s, .28 * s).at(0, 0, .28 * s)
    head = ellipsoid(.19 * s, .205 * s, .19 * s).at(.03 * s, 0, .72 * s)
    nose = ellipsoid(.09 * s, .09 * s, .075 * s).at(.20 * s, 0, .68 * s)
    pieces = [Piece('teddy/torso', torso, fur), Piece('teddy/head', head, fur),
              Piece('teddy/head', nose, paler)]
    spread, lift = rng.uniform(.16, .26), rng.uniform(-.12, .16)
    for side in (-1, 1):
        ear = ellipsoid(.04 * s, .075 * s, .075 * s).at(.01 * s, side * .165 * s, .90 * s)
        hand = capsule((.03 * s, side * .20 * s, .44 * s),
                       (.24 * s, side * .33 * s, (.38 + lift) * s), .082 * s, .075 * s)
        leg = capsule((.10 * s, side * .12 * s, .11 * s),
                      (.42 * s, side * spread * s, .11 * s), .105 * s, .10 * s)
        pieces += [Piece('teddy/ear', ear, paler), Piece('teddy/hand', hand, fur),
                   Piece('teddy/leg', leg, fur)]
    return pieces


def four_legged(rng):
    """Draw a toy animal on four legs."""
    s = rng.uniform(.16, .24)
    girth, reach = rng.uniform(.16, .21), rng.uniform(.08, .26)
    fur = choose(rng, FURS + GLAZES[2:4])
    legs, rise = rng.uniform(.36, .5), rng.uniform(.25, .75)
    top = legs + girth * .8
    shoulder = np.array((.34, 0, top + .05))
    head = shoulder + reach * np.array((np.cos(rise), 0, 1.6 * np.sin(rise))) + (.06, 0, .04)
    pieces = [Piece('fourleg/torso', capsule((-.34 * s, 0, top * s), (.30 * s, 0, (top + .02) * s),
                                             girth * s, girth * .95 * s), fur),
              Piece('fourleg/neck', capsule(shoulder * s, head * s, .11 * s, .085 * s), fur),
              Piece('fourleg/head', capsule(head * s, (head + (.20, 0, -.08)) * s, .105 * s,
                                            .06 * s), fur),
              Piece('fourleg/tail', capsule((-.5 * s, 0, (top + .06) * s),
                                            (-.66 * s, 0, (top - .16) * s), .04 * s, .03 * s),
                    fur)]
    for side in (-1, 1):
        ear = capsule((head + (-.02, side * .07, .07)) * s, (head + (-.06, side * .11, .19)) * s,
                      .035 * s, .015 * s)
        pieces.append(Piece('fourleg/earhorn', ear, fur))
        for x in (-.34, .30):
            step = rng.uniform(-.06, .06)
            leg = capsule((x * s, side * .11 * s, top * s), ((x + step) * s, side * .11 * s,
                                                             .055 * s), .075 * s, .052 * s)
            pieces.append(Piece('fourleg/leg', leg, fur))
    return pieces


def person(rng):
    """Draw a person who stands, arms hanging or a little away, perhaps in a step."""
    s = rng.uniform(1.58, 1.86)
    skin, shirt, jeans = choose(rng, SKINS), choose(rng, GLAZES), choose(rng, GLAZES)
    wide = rng.uniform(.105, .13)
    torso = ellipsoid(.068 * s, wide * s, .20 * s, .75).at(0, 0, .655 * s)
    neck = capsule((0, 0, .84 * s), (.008 * s, 0, .90 * s), .030 * s)
    head = ellipsoid(.056 * s, .046 * s, .066 * s).at(.012 * s, 0, .935 * s)
    pieces = [Piece('human/torso', torso, shirt), Piece('human/head', neck, skin),
              Piece('human/head', head, skin)]
    stride, swing = rng.uniform(0, .07), rng.uniform(.01, .10)
    for side in (-1, 1):
        step = side * stride
        hip, knee = np.array((0, side * .052, .50)), np.array((.02 + step * .7, side * .06, .28))
        ankle = np.array((step * 1.2, side * .062, .045))
        shoulder = np.array((0, side * (wide + .015), .80))
        elbow = shoulder + (-step * .6, side * swing * .6, -.165)
        wrist = elbow + (-step * .4 + .04, side * swing * .5, -.145)
        foot = ankle + (.085, side * .01, -.022)
        limbs = (('upperleg', hip, knee, .056, .040, jeans),
                 ('lowerleg', knee, ankle, .039, .026, jeans),
                 ('foot', ankle + (-.01, 0, -.018), foot, .026, .021, (52, 48, 46)),
                 ('upperarm', shoulder, elbow, .033, .026, shirt),
                 ('lowerarm', elbow, wrist, .026, .019, skin),
                 ('hand', wrist, wrist + (.01, 0, -.055), .022, .017, skin))
        pieces += [Piece(f'human/{name}', capsule(a * s, b * s, r * s, t * s), color)
                   for name, a, b, r, t, color in limbs]
    return pieces


SMALL = {'four_legged': four_legged, 'teddy': teddy}
LARGE = {'person': person}
