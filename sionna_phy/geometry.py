# SPDX-License-Identifier: MIT
"""Hexagonal layouts, wrap-around, and antennas' gains by direction."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

RINGS = {1: 0, 7: 1, 19: 2}
"""Sites of a hexagonal cluster → rings of sites round the one in the middle."""

WRAP_STEPS = {1: (1, 0), 7: (2, 1), 19: (3, 2)}
"""Sites N → steps (i, j) of the lattice from a cluster to its copy; N = i^2 + i j + j^2."""

SECTOR_BEARINGS_DEG = {1: (0.0,), 3: (30.0, 150.0, 270.0)}


def hexagonal_sites(sites: int, inter_site_m: float) -> Array:
    """Return the sites of a cluster round the origin, the middle one first, shape [sites, 2].

    Neighbours are `inter_site_m` apart.

    Raises:
        ValueError: a cluster has 1, 7 or 19 sites.
    """
    if sites not in RINGS:
        raise ValueError(f"a hexagonal cluster has 1, 7 or 19 sites, not {sites}")
    basis = lattice_basis(inter_site_m)
    rings = RINGS[sites]
    steps = [
        (i, j)
        for i in range(-rings, rings + 1)
        for j in range(-rings, rings + 1)
        if abs(i + j) <= rings
    ]
    points = np.array([i * basis[0] + j * basis[1] for i, j in steps])
    distance = np.hypot(points[:, 0], points[:, 1]).round(6)
    angle = np.arctan2(points[:, 1], points[:, 0]).round(9) % (2 * np.pi)
    return np.asarray(points[np.lexsort((angle, distance))])


def lattice_basis(inter_site_m: float) -> Array:
    """Return two vectors that span the lattice of sites, shape [2, 2], in metres."""
    return inter_site_m * np.array([[1.0, 0.0], [0.5, np.sqrt(0.75)]])


def wrap_lattice(sites: int, inter_site_m: float) -> Array:
    """Return two vectors that carry a cluster onto copies that tile the plane, shape [2, 2].

    The second is the first turned by 60 degrees, so all six copies next to the cluster are sums of
    the two.
    """
    i, j = WRAP_STEPS[sites]
    basis = lattice_basis(inter_site_m)
    first = i * basis[0] + j * basis[1]
    turn = np.array([[0.5, -np.sqrt(0.75)], [np.sqrt(0.75), 0.5]])
    return np.stack([first, turn @ first])


def nearest_images(cells_m: Array, ues_m: Array, lattice_m: Array | None) -> Array:
    """Return where each UE sees each cell: at the nearest of all its copies.

    Args:
        cells_m: shape [cells, 3].
        ues_m: shape [ues, 3]; they may be anywhere.
        lattice_m: from `wrap_lattice`, or None for no wrap-around.

    Returns:
        Shape [cells, ues, 3].
    """
    images = np.broadcast_to(cells_m[:, None], (len(cells_m), len(ues_m), 3)).copy()
    if lattice_m is None:
        return images
    offset = ues_m[None, :, :2] - images[..., :2]
    # The nearest lattice point is among the four corners of the cell of the lattice, and for this
    # lattice of 60 degrees that includes the rounded coordinates' neighbours.
    middle = np.round(offset @ np.linalg.inv(lattice_m))
    steps = np.array([(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)], dtype=np.float64)
    shifts = (middle[..., None, :] + steps) @ lattice_m  # [cells, ues, 9, 2]
    left = np.linalg.norm(offset[..., None, :] - shifts, axis=-1)
    # Ties (a UE in the middle between two copies) go to the first by number, whatever the rounding.
    best = np.argmin(left.round(6), axis=-1)
    images[..., :2] += np.take_along_axis(shifts, best[..., None, None], axis=2)[..., 0, :]
    return images


def element_gain_db(images_m: Array, ues_m: Array, orientations_rad: Array) -> Array:
    """Return the gain of an element of TR 38.901 table 7.3-1 towards each UE, without its 8 dBi.

    A = -min(-(A_v + A_h), 30), A_v = -min(12 (theta / 65)^2, 30), A_h likewise by azimuth.

    Args:
        images_m: shape [cells, ues, 3].
        ues_m: shape [ues, 3].
        orientations_rad: bearing, downtilt and slant, shape [cells, 3]; the slant has no effect.

    Returns:
        dB, at most 0, shape [cells, ues].
    """
    way = ues_m[None] - images_m
    bearing, tilt = orientations_rad[:, None, 0], orientations_rad[:, None, 1]
    along = way[..., 0] * np.cos(bearing) + way[..., 1] * np.sin(bearing)
    across = -way[..., 0] * np.sin(bearing) + way[..., 1] * np.cos(bearing)
    # Tilted down by the angle: the panel's axis is (cos tilt, 0, -sin tilt).
    front = along * np.cos(tilt) - way[..., 2] * np.sin(tilt)
    up = along * np.sin(tilt) + way[..., 2] * np.cos(tilt)
    azimuth_deg = np.degrees(np.arctan2(across, front))
    elevation_deg = np.degrees(np.arctan2(up, np.hypot(front, across)))
    vertical = np.minimum(12 * (elevation_deg / 65.0) ** 2, 30.0)
    horizontal = np.minimum(12 * (azimuth_deg / 65.0) ** 2, 30.0)
    return np.asarray(-np.minimum(vertical + horizontal, 30.0))


def positions_at(tracks_m: Array, times_s: Array) -> Array:
    """Return where UEs are; between the points of a track they move in straight lines.

    Args:
        tracks_m: time, x, y and z of points, shape [ues, points, 4]; times of a UE do not fall. A
            UE stays where its last point is.
        times_s: shape [times].

    Returns:
        Shape [times, ues, 3].
    """
    out = np.empty((len(times_s), len(tracks_m), 3))
    for number, track in enumerate(tracks_m):
        for axis in range(3):
            out[:, number, axis] = np.interp(times_s, track[:, 0], track[:, 1 + axis])
    return out


def fastest_m_s(tracks_m: Array) -> float:
    """Return the highest speed on any track, shape [ues, points, 4] as in `positions_at`."""
    ways = np.linalg.norm(np.diff(tracks_m[:, :, 1:], axis=1), axis=-1)
    times = np.diff(tracks_m[:, :, 0], axis=1)
    return float(np.max(ways[times > 0] / times[times > 0], initial=0.0))
