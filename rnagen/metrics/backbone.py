"""Backbone and sugars: torsions of suites, which of them no known conformer has, and sugar puckers.

A suite is the stretch from sugar to sugar, with the torsions δ ε ζ of one residue and α β γ δ of the next. The
consensus conformers, the ranges of the torsions and the widths are those of Richardson et al., RNA 14, 465 (2008). Here
a suite is an outlier where none of them is within a distance of 1; which one it is does not matter.
"""

from functools import cache

import numpy as np
from jaxtyping import Bool, Float

from rnagen.chemistry import COLUMN, WIDTH, torsion

SUITE = (
    ("C5'", "C4'", "C3'", "O3'"),
    ("C4'", "C3'", "O3'", "P+"),
    ("C3'", "O3'", "P+", "O5'+"),
    ("O3'", "P+", "O5'+", "C5'+"),
    ("P+", "O5'+", "C5'+", "C4'+"),
    ("O5'+", "C5'+", "C4'+", "C3'+"),
    ("C5'+", "C4'+", "C3'+", "O3'+"),
)
"""Atoms of δ ε ζ α β γ δ; + is of the next residue."""
RANGES = (
    ((60, 105), (125, 165)),
    ((155, 310),),
    ((25, 335),),
    ((25, 335),),
    ((50, 290),),
    ((20, 95), (140, 215), (260, 335)),
    ((60, 105), (125, 165)),
)
"""Degrees; torsions outside are outliers, and conformers compare within one combination of ranges alone."""
WIDTHS = np.array([28.0, 60.0, 55.0, 50.0, 70.0, 35.0, 28.0])
"""Degrees; half-widths of the conformers."""
POWER = 3
CONFORMERS = """
1a 81 212 289 295 174 54 81, 1m 84 218 292 292 222 58 86, 1L 86 245 268 304 138 62 79,
&a 82 191 265 296 182 51 82, 7a 83 217 222 303 161 49 82, 3a 85 216 173 289 164 46 85,
9a 83 210 121 289 157 49 81, 1g 81 219 291 167 160 51 85, 7d 84 239 257 70 170 53 85,
3d 85 244 204 66 181 55 86, 5d 80 202 63 68 143 50 83, 3g 84 195 146 170 170 52 84,
1e 81 201 281 249 83 168 86, 1c 80 197 291 153 194 179 84, 1f 81 203 294 172 139 176 84,
5j 87 224 80 67 109 176 84, 5n 86 247 100 74 214 183 85, 1b 84 215 289 300 177 58 145,
1[ 83 220 289 297 222 54 144, 3b 85 226 168 293 178 49 148, 1z 83 206 278 196 162 51 145,
5z 83 206 53 164 148 50 148, 7p 84 237 220 68 200 54 146, 5p 84 213 69 76 157 57 148,
1t 81 199 289 180 195 178 147, 5q 82 205 69 63 115 176 146, 1o 84 217 287 297 225 294 151,
7r 85 233 248 63 182 296 150, 5r 83 197 65 60 138 293 154, 2a 145 260 289 288 193 53 84,
4a 146 260 170 298 170 51 84, 0a 149 223 139 285 158 48 84, #a 148 192 146 289 151 42 85,
4g 148 257 165 205 165 49 83, 6g 145 263 80 204 190 58 85, 8d 149 271 241 62 176 54 87,
4d 150 250 188 80 198 61 89, 6d 147 241 89 59 161 52 83, 2g 142 258 287 178 165 48 85,
2h 148 261 290 296 177 176 87, 4n 144 227 204 74 217 194 81, 0i 149 275 100 81 248 182 83,
6n 150 268 85 64 191 177 86, 6j 142 244 66 72 122 182 84, 0k 149 250 112 278 208 288 87,
2[ 146 259 291 292 210 54 148, 4b 145 245 163 294 172 46 146, 0b 148 248 112 275 165 57 146,
4p 150 260 214 72 208 57 148, 6p 146 258 90 68 173 56 148, 2z 143 237 269 181 185 54 143,
4s 150 248 170 278 84 176 148, 2u 144 258 298 280 184 183 145, 2o 147 256 296 287 195 294 150
"""
"""Name, and degrees of δ ε ζ α β γ δ, of the 54 consensus conformers, those with few examples too."""
RING = ("C4'", "O4'", "C1'", "C2'", "C3'")
"""Atoms of the sugar: ν0 turns about the second bond."""
C3_ENDO, C2_ENDO = (0.0, 36.0), (144.0, 190.0)
"""Degrees; phases of the pseudorotation."""


@cache
def _conformers() -> Float[np.ndarray, "54 7"]:
    return np.array([[float(value) for value in one.split()[1:]] for one in CONFORMERS.split(",")])


def suites(
    coords: Float[np.ndarray, "L 27 3"], mask: Bool[np.ndarray, "L 27"], linked: Bool[np.ndarray, " L"]
) -> Float[np.ndarray, "S 7"]:
    """Torsions of the suites of a chain of which all atoms are there, in degrees from 0 to 360.

    Args:
        coords: Å.
        mask: atoms that are there.
        linked: whether each residue is bonded to the next.
    """
    names = sorted({name for torsion in SUITE for name in torsion})
    place = {name: COLUMN[name.rstrip("+")] + WIDTH * name.endswith("+") for name in names}
    both = np.concatenate([mask[:-1], mask[1:]], 1)
    rows = np.flatnonzero(linked[:-1] & both[:, list(place.values())].all(1))
    points = np.concatenate([coords[rows], coords[rows + 1]], 1)
    angles = [torsion(*(points[:, place[name]] for name in atoms)) for atoms in SUITE]
    return np.stack(angles, -1).reshape(-1, len(SUITE)) % 360


def is_suite_outlier(angles: Float[np.ndarray, "S 7"]) -> Bool[np.ndarray, " S"]:
    """Which suites have a torsion outside its ranges, or are like none of the consensus conformers."""
    own, known = _ranges_of(angles), _ranges_of(_conformers())
    apart = np.abs(angles[:, None] - _conformers()) / WIDTHS
    distance = (apart**POWER).sum(-1) ** (1 / POWER)
    same = (own[:, None] == known).all(-1)
    return (own < 0).any(-1) | ~(same & (distance <= 1)).any(-1)


def _ranges_of(angles: Float[np.ndarray, "S 7"]) -> np.ndarray:
    """Which of its ranges each torsion is in, -1 for none."""
    found = np.full(angles.shape, -1)
    for column, ranges in enumerate(RANGES):
        for k, (low, high) in enumerate(ranges):
            found[(low <= angles[:, column]) & (angles[:, column] <= high), column] = k
    return found


def phases(coords: Float[np.ndarray, "L 27 3"], mask: Bool[np.ndarray, "L 27"]) -> Float[np.ndarray, " R"]:
    """Phase of the pseudorotation of each sugar that is there, in degrees from 0 to 360: Altona and Sundaralingam, J.
    Am. Chem. Soc. 94, 8205 (1972)."""
    columns = [COLUMN[name] for name in RING]
    ring = coords[mask[:, columns].all(1)][:, columns]
    nu = [torsion(*(ring[:, (k + j) % len(RING)] for j in range(4))) for k in range(len(RING))]
    sine = nu[4] + nu[1] - nu[3] - nu[0]
    return np.degrees(np.arctan2(sine, 2 * nu[2] * (np.sin(np.pi / 5) + np.sin(2 * np.pi / 5)))) % 360


def is_within(angles: Float[np.ndarray, " N"], limits: tuple[float, float]) -> Bool[np.ndarray, " N"]:
    """Which angles are from the lower limit to below the upper one."""
    return (limits[0] <= angles) & (angles < limits[1])
