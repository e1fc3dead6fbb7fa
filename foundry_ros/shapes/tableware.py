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

"""Things turned on a lathe, and boxes: what stands on a kitchen table."""

from foundry_ros.shapes.mesh import Piece
from foundry_ros.shapes.solids import box, disc, lathe, tube
import numpy as np
from scipy.interpolate import PchipInterpolator

GLAZES = ((196, 84, 62), (64, 112, 158), (232, 226, 212), (92, 138, 112), (222, 172, 74),
          (60, 72, 92), (170, 110, 140), (120, 160, 176))
GLASSES = ((58, 104, 70), (140, 92, 48), (176, 204, 212), (92, 128, 160), (208, 214, 206))
LEAVES = ((72, 128, 62), (98, 150, 76), (54, 104, 66), (124, 158, 84))
CLAY = ((186, 104, 72), (150, 92, 70), (214, 206, 192), (98, 104, 112))


def choose(rng, options):
    """Pick one of the options."""
    return options[rng.integers(len(options))]


def curve(points, steps=24):
    """
    Lay a smooth, overshoot-free curve through (radius, height) points of rising height.

    :return: (steps, 2), the points' heights evenly walked.
    """
    radius, height = np.asarray(points, float).T
    levels = np.linspace(height[0], height[-1], steps)
    return np.column_stack([PchipInterpolator(height, radius)(levels), levels])


def vessel(outside, wall):
    """Close an outside profile to an open vessel with a wall and a bottom."""
    outside = np.asarray(outside, float)
    inside = outside[outside[:, 1] > outside[0, 1] + wall][::-1] - (wall, 0)
    inside[:, 0] = np.maximum(inside[:, 0], wall / 2)
    return lathe([(0, outside[0, 1]), *outside, *inside, (0, outside[0, 1] + wall)])


def grip(rng, outside, low, high, reach, thick):
    """Bend a handle from the outside profile at two heights."""
    turn = np.linspace(0, np.pi, 13)
    z = (low + high) / 2 + (high - low) / 2 * np.cos(turn)
    wall = np.interp(z, outside[:, 1], outside[:, 0]) - 0.4 * thick
    bulge = np.sin(turn) ** rng.uniform(0.45, 0.8)
    path = np.column_stack([wall + (reach + 0.4 * thick) * bulge, np.zeros(13), z])
    return tube(path, thick, 10, rng.uniform(0.8, 1.3))


def cup(rng):
    """Draw a mug, a tea cup, a tumbler or a goblet."""
    style = choose(rng, ('mug', 'mug', 'mug', 'tea', 'tea', 'tumbler', 'goblet'))
    color = choose(rng, GLAZES)
    if style == 'goblet':
        return goblet(rng, choose(rng, GLASSES))
    if style == 'tea':
        radius, height = rng.uniform(.040, .052), rng.uniform(.060, .078)
        outside = curve([(radius * .5, 0), (radius * .68, height * .15),
                         (radius * .9, height * .5), (radius, height)])
    else:
        radius, height = rng.uniform(.036, .046), rng.uniform(.085, .115)
        taper = rng.uniform(.72, .9) if style == 'tumbler' else rng.uniform(.9, 1.02)
        outside = curve([(radius * taper, 0), (radius * (taper + 1) / 2, height * .5),
                         (radius, height)])
    pieces = [Piece('cup/body', vessel(outside, .0035), color)]
    if style != 'tumbler':
        handle = grip(rng, outside, height * rng.uniform(.16, .28), height * rng.uniform(.76, .9),
                      rng.uniform(.022, .032), rng.uniform(.0048, .0068))
        pieces.append(Piece('cup/handle', handle, color))
    return pieces


def goblet(rng, color):
    """Draw a wine glass; its stem and foot are what it is held by."""
    height, radius = rng.uniform(.15, .21), rng.uniform(.036, .048)
    stem = height * rng.uniform(.36, .48)
    bowl = curve([(.006, stem), (radius * .75, stem + (height - stem) * .25),
                  (radius, stem + (height - stem) * .6),
                  (radius * rng.uniform(.75, 1.05), height)])
    foot = lathe([(0, 0), (radius * .85, 0), (radius * .8, .004), (.009, .012),
                  (.0055, stem * .5), (.007, stem)])
    return [Piece('cup/body', vessel(bowl, .0025), color), Piece('cup/handle', foot, color)]


def bottle(rng):
    """Draw a bottle of water, wine or sauce, with its cap."""
    radius, height = rng.uniform(.031, .043), rng.uniform(.20, .31)
    neck = radius * rng.uniform(.30, .42)
    shoulder, throat = rng.uniform(.50, .66), rng.uniform(.74, .84)
    waist = rng.uniform(.88, 1.0)
    outside = curve([(radius * .94, 0), (radius, height * .03), (radius * waist, height * .3),
                     (radius, height * shoulder), (neck, height * throat),
                     (neck * rng.uniform(.85, 1.0), height * .95)], 32)
    color = choose(rng, GLASSES)
    cap = disc(neck * 1.18, height * .055).at(0, 0, height * .945)
    return [Piece('', lathe([(0, 0), *outside, (0, height * .95)]), color),
            Piece('', cap, choose(rng, GLAZES))]


def bowl(rng):
    """Draw a bowl."""
    radius = rng.uniform(.065, .125)
    height = radius * rng.uniform(.48, .78)
    foot = radius * rng.uniform(.32, .5)
    outside = curve([(foot, 0), (foot * 1.02, height * .07),
                     (radius * rng.uniform(.72, .84), height * .42), (radius, height)])
    return [Piece('', vessel(outside, .004), choose(rng, GLAZES))]


def vase(rng):
    """Draw a vase: foot, body, neck with lip, and sometimes one or two handles."""
    height = rng.uniform(.2, .34)
    belly = height * rng.uniform(.22, .34)
    neck = belly * rng.uniform(.32, .55)
    foot, full = rng.uniform(.04, .08), rng.uniform(.34, .5)
    throat = rng.uniform(.72, .82)
    base = belly * rng.uniform(.48, .68)
    outside = curve([(base, 0), (base * .86, foot * height), (belly, full * height),
                     (neck, throat * height), (neck * rng.uniform(1.15, 1.7), height)], 40)
    level = outside[:, 1] / height
    color = choose(rng, GLAZES)
    lower = outside[level <= foot + .02]
    middle = outside[(level >= lower[-1, 1] / height) & (level <= throat)]
    upper = outside[level >= middle[-1, 1] / height]
    pieces = [Piece('vase/base', lathe([(0, 0), *lower]), color),
              Piece('vase/body', lathe(middle), color),
              Piece('vase/top', lathe([*upper, *(upper[::-1] - (.004, 0)), (0, upper[0, 1])]),
                    color)]
    for turn in range(rng.choice(3, p=(.5, .25, .25))):
        handle = grip(rng, outside, height * rng.uniform(.5, .56), height * rng.uniform(.84, .9),
                      height * rng.uniform(.09, .13), height * rng.uniform(.018, .026))
        pieces.append(Piece('vase/handle', handle.turned('z', 180 * turn), color))
    return pieces


def can(rng):
    """Draw a drink or food can."""
    radius = rng.uniform(.030, .042)
    height = radius * rng.uniform(2.4, 3.8)
    edge = radius * .1
    profile = [(0, edge * .6), (radius * .84, edge * .6), (radius * .86, 0), (radius, edge),
               (radius, height - edge), (radius * .86, height), (radius * .84, height - edge * .6),
               (0, height - edge * .6)]
    return [Piece('', lathe(profile), choose(rng, GLAZES))]


def carton(rng):
    """Draw a box: a carton, flat or upright."""
    edges = np.sort(rng.uniform((.05, .08, .12), (.09, .15, .24)))
    if rng.random() < .5:
        edges = edges[[2, 1, 0]]
    return [Piece('', box(*edges), choose(rng, GLAZES + CLAY))]


def pot(rng, radius, height):
    """Draw a flower pot with its rim, full of earth."""
    foot = radius * rng.uniform(.58, .75)
    profile = [(0, 0), (foot, 0), (radius * .93, height * .82), (radius * 1.04, height * .82),
               (radius * 1.04, height), (radius * .9, height), (radius * .88, height * .86),
               (0, height * .86)]
    return Piece('', lathe(profile), choose(rng, CLAY))


def leaf(rng, length, width, lean):
    """Draw a leaf that grows from the origin, leaning outwards along x and bending over."""
    t = np.linspace(0, 1, 9)
    bend = np.radians(lean) * (.35 + .9 * t)
    path = np.cumsum(np.column_stack([np.sin(bend), np.zeros(9), np.cos(bend)]), axis=0)
    path *= length / 9
    solid = tube(path, width * (np.sin(np.pi * (.08 + .9 * t)) + .02), 8)
    flat = solid.vertices.copy()
    centre = np.repeat(np.concatenate([path[:1], path, path[-1:]]), 8, axis=0)
    flat[:, [0, 2]] = centre[:, [0, 2]] + .18 * (flat - centre)[:, [0, 2]]
    return solid._replace(vertices=flat)


def foliage(rng, count, length, width, lean):
    """Draw a rosette of leaves about the z axis."""
    pieces = []
    for turn in np.arange(count) * 137.5:
        one = leaf(rng, length * rng.uniform(.7, 1), width * rng.uniform(.8, 1.1),
                   lean * rng.uniform(.4, 1.2))
        pieces.append(Piece('', one.turned('z', turn + rng.uniform(-15, 15)),
                            choose(rng, LEAVES)))
    return pieces


def flower_pot(rng):
    """Draw a pot with a small upright plant."""
    radius, height = rng.uniform(.06, .085), rng.uniform(.10, .15)
    leaves = foliage(rng, rng.integers(7, 13), height * rng.uniform(1.1, 1.7),
                     rng.uniform(.009, .014), rng.uniform(15, 30))
    return [pot(rng, radius, height),
            *(p._replace(solid=p.solid.at(0, 0, height * .84)) for p in leaves)]


def plant(rng):
    """Draw a bushy plant in a small pot."""
    radius, height = rng.uniform(.05, .07), rng.uniform(.07, .10)
    leaves = foliage(rng, rng.integers(16, 30), rng.uniform(.18, .28), rng.uniform(.010, .018),
                     rng.uniform(50, 75))
    return [pot(rng, radius, height),
            *(p._replace(solid=p.solid.at(0, 0, height * .84)) for p in leaves)]


MAKERS = {'bottle': bottle, 'bowl': bowl, 'box': carton, 'can': can, 'cup': cup,
          'flower_pot': flower_pot, 'plant': plant, 'vase': vase}
