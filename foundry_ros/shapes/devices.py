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

"""Things with corners and joints: what lies on a desk."""

from foundry_ros.shapes.mesh import Piece
from foundry_ros.shapes.solids import box, disc, ellipsoid, lathe, prism, sheet, tube
from foundry_ros.shapes.tableware import choose, curve, GLAZES
import numpy as np

CASES = ((62, 66, 74), (176, 180, 186), (214, 214, 210), (40, 42, 48), (120, 126, 136))
SHADES = ((232, 218, 184), (206, 126, 88), (220, 222, 214), (108, 142, 158), (196, 176, 92))
METALS = ((150, 152, 156), (92, 96, 104), (176, 148, 96))


def laptop(rng):
    """Draw an open laptop."""
    width, depth = rng.uniform(.28, .36), rng.uniform(.20, .25)
    thick, lid = rng.uniform(.014, .022), rng.uniform(.006, .010)
    case = choose(rng, CASES)
    screen = box(width, lid, depth * rng.uniform(.92, 1.0))
    screen = screen.turned('x', -rng.uniform(5, 32)).at(0, depth / 2, thick * .7)
    keys = box(width * .86, depth * .45, .003).at(0, depth * .12, thick)
    return [Piece('', box(width, depth, thick), case), Piece('', screen, case),
            Piece('', keys, (48, 50, 56))]


def keyboard(rng):
    """Draw a keyboard: a wedge with rows of keys."""
    width, depth = rng.uniform(.36, .46), rng.uniform(.12, .16)
    front, back = rng.uniform(.014, .02), rng.uniform(.026, .036)
    case = choose(rng, CASES)
    side = np.array([(-depth / 2, 0), (depth / 2, 0), (depth / 2, back), (-depth / 2, front)])
    wedge = sheet(side, width).turned('z', 90)
    pieces = [Piece('', wedge, case)]
    for row in range(5):
        y = depth * (-.36 + .18 * row)
        z = np.interp(y, (-depth / 2, depth / 2), (front, back))
        keys = box(width * .94, depth * .13, .007).at(0, y, z - .001)
        pieces.append(Piece('', keys, (52, 54, 60)))
    return pieces


def monitor(rng):
    """Draw a flat screen on its stand."""
    width = rng.uniform(.40, .56)
    height, gap = width * rng.uniform(.58, .72), rng.uniform(.06, .12)
    case = choose(rng, CASES[:1] + CASES[3:])
    panel = box(width, rng.uniform(.025, .05), height).turned('x', -rng.uniform(0, 8))
    post = box(.05, .03, gap + height * .35).at(0, .035, 0)
    foot = disc(1, .015).scaled(width * .24, width * .19, 1)
    return [Piece('', panel.at(0, 0, gap), case), Piece('', post, case), Piece('', foot, case)]


def lamp(rng):
    """Draw a table lamp: foot, stem or belly, and shade."""
    height = rng.uniform(.34, .48)
    wide, tall = height * rng.uniform(.22, .30), height * rng.uniform(.30, .40)
    metal = choose(rng, METALS + GLAZES)
    neck = height - tall * .8
    if rng.random() < .6:
        foot = rng.uniform(.060, .085)
        stand = [(0, 0), (foot, 0), (foot, .012), (.014, .026), (.009, .06), (.008, neck)]
    else:
        full = height * rng.uniform(.12, .18)
        stand = [(0, 0), *curve([(full * .7, 0), (full * .6, .015), (full, neck * .4),
                                 (.014, neck * .92), (.012, neck)])]
    shade = np.array([(wide, height - tall), (wide * rng.uniform(.45, .95), height)])
    if rng.random() < .25:
        turn = np.linspace(0, np.pi / 2, 12)
        shade = np.column_stack([wide * np.cos(turn), height - tall + tall * np.sin(turn)])
    walls = [*shade, *(shade[::-1] - (.003, 0))]
    return [Piece('', lathe(stand), metal), Piece('', lathe(walls), choose(rng, SHADES))]


def glasses(rng):
    """Draw a pair of glasses on its rims and the ends of its temples."""
    width, height = rng.uniform(.052, .060), rng.uniform(.036, .046)
    length, rim = rng.uniform(.12, .14), rng.uniform(.0035, .005)
    color, tint = choose(rng, CASES + GLAZES), choose(rng, ((70, 78, 90), (120, 140, 150)))
    turn = np.linspace(0, 2 * np.pi, 25)[:-1]
    outline = np.column_stack([np.cos(turn), np.sin(turn)])
    outline = np.sign(outline) * np.abs(outline) ** rng.uniform(.55, 1) * (width / 2, height / 2)
    pieces, half = [], width / 2 + rng.uniform(.009, .012)
    for side in (-1, 1):
        lens = sheet(outline, .0045).turned('z', -6 * side).at(side * half, 0, 0)
        pieces.append(Piece('glasses/lens', lens, tint))
        outer = half + width / 2
        path = np.array([(outer - .004, 0, height * .3), (outer + .003, .006, height * .3),
                         (outer + .002, length * .75, height * .26),
                         (outer - .004, length, -height * .28)]) * (side, 1, 1)
        pieces.append(Piece('glasses/skeleton', tube(path, rim, 8, 1.6), color))
    inner = half - width / 2 + .003
    bridge = [(-inner, 0, height * .12), (0, -.002, height * .22), (inner, 0, height * .12)]
    return [*pieces, Piece('glasses/middle', tube(bridge, rim, 8, 1.3), color)]


def plier(rng):
    """Draw pliers that lie flat and open: jaws, pivot, two bent handles."""
    length, spread = rng.uniform(.17, .23), np.radians(rng.uniform(9, 20))
    grip, thick = rng.uniform(.008, .011), rng.uniform(.007, .009)
    color, metal = choose(rng, GLAZES), choose(rng, METALS)
    jaw = length * rng.uniform(.28, .38)
    pieces = [Piece('plier/center', disc(thick * 1.9, thick * 1.9).at(0, 0, -thick * .95), metal)]
    for side in (-1, 1):
        t = np.linspace(0, 1, 10)
        bow = length * .05 * np.sin(np.pi * t) * side
        handle = np.column_stack([-thick - t * (length - jaw), bow + side * t * length * .18,
                                  np.zeros(10)])
        width = grip * (.75 + .35 * np.sin(np.pi * np.clip(t * 1.2, 0, 1)))
        pieces.append(Piece('plier/handle', tube(handle, width, 10), color))
        angle = -side * spread * .5
        t = np.linspace(0, 1, 6)
        edge = np.column_stack([thick * .8 + t * jaw * np.cos(angle),
                                side * thick * .4 - t * jaw * np.sin(angle), np.zeros(6)])
        pieces.append(Piece('plier/edge', tube(edge, thick * (1.1 - .6 * t), 8), metal))
    return pieces


def airplane(rng):
    """Draw a toy airliner that rests on its belly."""
    length = rng.uniform(.26, .40)
    span, sweep = length * rng.uniform(.42, .52), rng.uniform(15, 38)
    body = length * rng.uniform(.055, .075)
    color, accent = choose(rng, GLAZES), choose(rng, GLAZES)
    t = np.linspace(-1, 1, 16)
    radius = body * np.sqrt(np.clip(1 - np.abs(t) ** np.where(t < 0, 2.2, 6), .003, 1))
    hull = tube(np.column_stack([t * length / 2, 0 * t, body * .25 * np.clip(-t, 0, 1)]),
                radius, 16)
    pieces = [Piece('airplane/body', hull, color)]
    for side in (-1, 1):
        wing = blade(length * .22, length * .09, span, sweep, .007).scaled(1, side, 1)
        pieces.append(Piece('airplane/wing', wing.at(length * .10, 0, -body * .3), accent))
        tail = blade(length * .12, length * .06, span * .38, sweep, .005).scaled(1, side, 1)
        pieces.append(Piece('airplane/stabilizer', tail.at(-length * .38, 0, body * .3), accent))
        engine = ellipsoid(length * .06, body * .42, body * .42, .7)
        pieces.append(Piece('airplane/engine', engine.at(length * .06, side * span * .36,
                                                         -body * .75), color))
    fin = blade(length * .14, length * .07, span * .36, sweep + 10, .005).turned('x', 90)
    return [*pieces, Piece('airplane/rudder', fin.at(-length * .37, 0, body * .3), accent)]


def blade(root, tip, span, sweep, thick):
    """Build a wing from y = 0 to y = span, swept back (towards -x) by degrees."""
    back = np.tan(np.radians(sweep)) * span
    outline = [(root / 2, 0), (tip / 2 - back, span), (-tip / 2 - back, span), (-root / 2, 0)]
    return prism(np.asarray(outline), thick).at(0, 0, -thick / 2)


def guitar(rng):
    """Draw a guitar that lies on its back."""
    length = rng.uniform(.92, 1.05)
    turn = np.linspace(0, 2 * np.pi, 49)[:-1]
    waist = 1 - rng.uniform(.16, .26) * np.exp(-(np.cos(turn) - .12) ** 2 / .09)
    outline = np.column_stack([.245 * np.cos(turn) - .25,
                               np.sin(turn) * (.175 - .03 * np.cos(turn)) * waist])
    deep = rng.uniform(.07, .11)
    wood = choose(rng, ((186, 128, 72), (120, 66, 44), (208, 170, 112), (60, 48, 46)))
    neck = box(length - .42, .05, .03).at(length / 2 - .21, 0, deep - .01)
    head = box(.16, .075, .02).at(length - .36, 0, deep)
    bridge = box(.03, .16, .012).at(-.35, 0, deep)
    return [Piece('', prism(outline, deep), wood), Piece('', neck, (70, 50, 40)),
            Piece('', head, (70, 50, 40)), Piece('', bridge, (54, 42, 38))]


MAKERS = {'airplane': airplane, 'glasses': glasses, 'guitar': guitar, 'keyboard': keyboard,
          'lamp': lamp, 'laptop': laptop, 'monitor': monitor, 'plier': plier}
