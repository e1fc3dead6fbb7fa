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

"""Furniture: what stands on a floor."""

from foundry_ros.shapes.mesh import Piece
from foundry_ros.shapes.solids import box, disc, ellipsoid, lathe, tube
from foundry_ros.shapes.tableware import choose, GLAZES
import numpy as np

WOODS = ((172, 122, 78), (124, 82, 56), (206, 168, 122), (92, 66, 52), (226, 220, 208))
CLOTHS = ((96, 112, 132), (150, 84, 72), (118, 128, 104), (188, 172, 148), (70, 78, 92))


def rod(start, end, radius, tip=None, segments=10):
    """Build a straight leg or rail."""
    return tube(np.linspace(start, end, 3), np.linspace(radius, tip or radius, 3), segments)


def corner_legs(rng, x, y, height, radius, part, color, splay=.0):
    """Put four legs under the corners of an x by y board."""
    square = rng.random() < .5
    pieces = []
    for i in (-1, 1):
        for j in (-1, 1):
            top = np.array((i * (x / 2 - radius * 1.4), j * (y / 2 - radius * 1.4), height))
            leg = (box(radius * 1.8, radius * 1.8, height).at(*top[:2], 0) if square else
                   rod(top, (top + (i * splay, j * splay, 0)) * (1, 1, 0), radius, radius * .7))
            pieces.append(Piece(part, leg, color))
    return pieces


def chair(rng):
    """Draw a chair: legs or a swivel, seat, back on posts or as one board, perhaps arms."""
    x, y = rng.uniform(.40, .48), rng.uniform(.40, .50)
    seat, back = rng.uniform(.42, .47), rng.uniform(.36, .50)
    wood, cloth = choose(rng, WOODS), choose(rng, WOODS + CLOTHS)
    pieces = [Piece('chair/support', ellipsoid(x / 2, y / 2, .025, .35).at(0, 0, seat), cloth)]
    if rng.random() < .25:
        pieces += swivel(seat, (70, 72, 78))
    else:
        pieces += corner_legs(rng, x, y, seat, rng.uniform(.016, .024), 'chair/leg', wood,
                              rng.uniform(0, .03))
    lean = rng.uniform(6, 14)
    pieces += [piece._replace(solid=piece.solid.turned('y', -lean).at(-x / 2 + .03, 0, seat))
               for piece in backrest(rng, y, back, wood, cloth)]
    if rng.random() < .35:
        for side in (-1, 1):
            end = side * (y / 2 - .01)
            pieces += [Piece('chair/arm', box(x * .85, .045, .025).at(-.01, end, seat + .2), wood),
                       Piece('chair/arm', rod((x * .3, end, seat), (x * .3, end, seat + .21),
                                              .014), wood)]
    return pieces


def backrest(rng, y, back, wood, cloth):
    """Draw a back that rises from z = 0: a board, a board on posts, or slats."""
    style = choose(rng, ('board', 'posts', 'slats'))
    low = 0 if style == 'board' else back * rng.uniform(.4, .6)
    if style == 'slats':
        boards = [box(.018, y * .92, back * .13).at(0, 0, z) for z in
                  np.linspace(back * .25, back * .9, 4)]
    else:
        boards = [ellipsoid(.016, y / 2, (back - low) / 2, .4).at(0, 0, (back + low) / 2)]
    pieces = [Piece('chair/backsupport', board, cloth) for board in boards]
    if style != 'board':
        pieces += [Piece('chair/backsupport', rod((0, s * y * .43, 0), (0, s * y * .43, back),
                                                  .016), wood) for s in (-1, 1)]
    return pieces


def swivel(seat, metal):
    """Draw a column on five feet."""
    pieces = [Piece('chair/leg', rod((0, 0, .07), (0, 0, seat), .028), metal)]
    for turn in np.arange(5) * 2 * np.pi / 5:
        end = (.30 * np.cos(turn), .30 * np.sin(turn), .03)
        pieces.append(Piece('chair/leg', rod((0, 0, .09), end, .022, .018), metal))
        pieces.append(Piece('chair/leg', ellipsoid(.03, .03, .03).at(*end), metal))
    return pieces


def table(rng):
    """Draw a table: a board, round or not, on four legs or a pedestal."""
    x, y, height = rng.uniform(.8, 1.4), rng.uniform(.6, .85), rng.uniform(.70, .76)
    wood, thick = choose(rng, WOODS), rng.uniform(.02, .04)
    style = choose(rng, ('board', 'board', 'round', 'pedestal'))
    if style == 'board':
        top = box(x, y, thick)
        legs = corner_legs(rng, x, y, height, rng.uniform(.022, .035), 'table/leg', wood)
    else:
        top = disc(.5, thick).scaled(x, x if style == 'pedestal' else y, 1)
        legs = corner_legs(rng, x * .72, (x if style == 'pedestal' else y) * .72, height,
                           rng.uniform(.02, .03), 'table/leg', wood)
    if style == 'pedestal':
        legs = [Piece('table/leg', lathe([(0, 0), (x * .28, 0), (x * .26, .03), (.05, .06),
                                          (.04, height)]), wood)]
    return [*legs, Piece('table/support', top.at(0, 0, height), wood)]


def stool(rng):
    """Draw a stool: a round seat on three or four splayed legs with a ring."""
    radius, height = rng.uniform(.15, .20), rng.uniform(.45, .75)
    wood, count = choose(rng, WOODS), rng.integers(3, 5)
    pieces = [Piece('', disc(radius, rng.uniform(.03, .06)).at(0, 0, height), choose(rng, CLOTHS))]
    foot = radius * rng.uniform(1.0, 1.25)
    for turn in np.arange(count) * 2 * np.pi / count:
        way = np.array((np.cos(turn), np.sin(turn), 0))
        pieces.append(Piece('', rod(way * radius * .7 + (0, 0, height), way * foot, .018), wood))
    turn = np.linspace(0, 2 * np.pi, 25)
    ring = (radius * .75 + foot) / 2 * np.column_stack([np.cos(turn), np.sin(turn), 0 * turn])
    return [*pieces, Piece('', tube(ring + (0, 0, height * .35), .010, 8), wood)]


def sofa(rng):
    """Draw a sofa: base, cushions, back and two arms."""
    x, y = rng.uniform(1.3, 2.0), rng.uniform(.78, .92)
    seat, back, arm = rng.uniform(.38, .45), rng.uniform(.72, .85), rng.uniform(.12, .2)
    cloth = choose(rng, CLOTHS)
    pieces = [box(x, y, seat * .7).at(0, 0, .05),
              ellipsoid(x / 2, .11, (back - .1) / 2, .3).at(0, -y / 2 + .11, (back + .1) / 2)]
    count = 3 if x > 1.65 else 2
    wide = (x - 2 * arm) / count
    pieces += [ellipsoid(wide / 2, y * .42, .09, .3).at((i - (count - 1) / 2) * wide, .06, seat)
               for i in range(count)]
    rest = ellipsoid(arm / 2, y / 2, (seat + .15) / 2, .3).at(0, 0, (seat + .15) / 2 + .05)
    pieces += [rest.at(s * (x - arm) / 2, 0, 0) for s in (-1, 1)]
    feet = [box(.06, .06, .06).at(i * (x / 2 - .08), j * (y / 2 - .08), 0)
            for i in (-1, 1) for j in (-1, 1)]
    return [*(Piece('', p, cloth) for p in pieces), *(Piece('', f, (60, 48, 42)) for f in feet)]


def bed(rng):
    """Draw a bed: frame, mattress, headboard and pillows."""
    x, y, seat = rng.uniform(.95, 1.6), rng.uniform(1.95, 2.1), rng.uniform(.42, .55)
    wood, cloth = choose(rng, WOODS), choose(rng, CLOTHS)
    pieces = [Piece('', box(x + .06, y + .04, .14).at(0, 0, seat - .26), wood),
              Piece('', ellipsoid(x / 2, y / 2, .12, .25).at(0, 0, seat - .08), cloth),
              Piece('', box(x + .08, .05, seat + rng.uniform(.35, .55)).at(0, -y / 2 - .03, 0),
                    wood),
              *corner_legs(rng, x, y, seat - .2, .035, '', wood)]
    count = 2 if x > 1.25 else 1
    for i in range(count):
        pillow = ellipsoid(x / count * .4, .2, .08, .6)
        place = ((i - (count - 1) / 2) * x / count, -y / 2 + .28, seat + .06)
        pieces.append(Piece('', pillow.at(*place), (232, 228, 220)))
    return pieces


def night_stand(rng):
    """Draw a night stand: a case with drawers on short legs."""
    x, y, height = rng.uniform(.38, .55), rng.uniform(.34, .45), rng.uniform(.42, .60)
    wood, leg = choose(rng, WOODS), rng.uniform(.06, .16)
    pieces = [Piece('', box(x, y, height - leg).at(0, 0, leg), wood),
              Piece('', box(x + .04, y + .03, .025).at(0, 0, height), wood),
              *corner_legs(rng, x, y, leg, .02, '', wood)]
    count = rng.integers(1, 4)
    step = (height - leg) / count
    for i in range(count):
        z = leg + step * i + step * .06
        pieces += [Piece('', box(x * .92, .02, step * .88).at(0, y / 2 + .004, z), wood),
                   Piece('', ellipsoid(.018, .018, .018).at(0, y / 2 + .03, z + step * .44),
                         (60, 56, 52))]
    return pieces


def bookshelf(rng):
    """Draw an open bookshelf with a few books."""
    x, y, height = rng.uniform(.6, 1.0), rng.uniform(.26, .34), rng.uniform(1.2, 1.9)
    wood, count, thick = choose(rng, WOODS), rng.integers(3, 6), .025
    pieces = [box(thick, y, height).at(s * (x - thick) / 2, 0, 0) for s in (-1, 1)]
    levels = np.linspace(.04, height - thick, count + 1)
    pieces += [box(x, y, thick).at(0, 0, z) for z in levels]
    pieces.append(box(x, .012, height).at(0, -y / 2 + .006, 0))
    books = []
    for low, high in zip(levels[:-1], levels[1:]):
        place, end = -x / 2 + thick, rng.uniform(-.3, .4) * x
        while place < end:
            wide = rng.uniform(.02, .05)
            size = (wide, y * rng.uniform(.6, .8), (high - low) * rng.uniform(.55, .85))
            books.append(Piece('', box(*size).at(place + wide / 2, -.02, low + thick),
                               choose(rng, GLAZES)))
            place += wide
    return [*(Piece('', p, wood) for p in pieces), *books]


def cone(rng):
    """Draw a traffic cone on its square foot."""
    height, radius = rng.uniform(.45, .75), rng.uniform(.11, .16)
    tip = rng.uniform(.02, .03)
    hull = lathe([(radius, .03), (tip, height), (tip * .8, height), (0, height)])
    foot = box(radius * 2.5, radius * 2.5, .03)
    return [Piece('', hull, (222, 96, 44)), Piece('', foot, (64, 60, 58))]


MAKERS = {'bed': bed, 'bookshelf': bookshelf, 'chair': chair, 'cone': cone,
          'night_stand': night_stand, 'sofa': sofa, 'stool': stool, 'table': table}
