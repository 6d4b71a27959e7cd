# SPDX-License-Identifier: MIT
"""Where curves are measured: processes of this machine, or the workers of a Dask cluster."""

import contextlib
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor

CONNECT_S = 20.0
RETRIES = 2


class CampaignError(ValueError):
    """Options that cannot work, or a file that does not belong to the campaign."""


@contextlib.contextmanager
def open_pool(workers: int, cluster: str | None) -> Iterator[tuple[Executor, int]]:
    """Yield an executor, and how many calls it can do at once.

    Args:
        workers: processes of this machine.
        cluster: address of a Dask scheduler instead, such as tcp://10.0.0.1:8786.

    Raises:
        CampaignError: Dask is missing, does not answer, has no worker or lost them in the middle,
            or a worker has several threads.
    """
    if cluster is None:
        context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            yield pool, workers
        return
    try:
        import distributed
    except ImportError:
        raise CampaignError(
            "--cluster needs Dask: pip install 'semcosim[cluster]' (or distributed)"
        ) from None
    try:
        client = distributed.Client(cluster, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise CampaignError(
            f"no Dask scheduler answers at {cluster}: {error}. Start one with `dask scheduler` "
            "and workers with `dask worker ADDRESS --nthreads 1`"
        ) from None
    with client:
        threads = client.nthreads()
        # Sionna's random numbers belong to the process: two curves in one would mix theirs.
        if not threads or max(threads.values()) > 1:
            raise CampaignError(
                f"the Dask scheduler at {cluster} has "
                + ("workers with several threads" if threads else "no workers")
                + ": start them with `dask worker ADDRESS --nthreads 1`, several on a machine"
            )
        pool = client.get_executor(pure=False, retries=RETRIES)
        try:
            yield pool, len(threads)
        except distributed.KilledWorker as error:
            raise CampaignError(
                f"Dask workers died: {error}. The same command goes on with what is missing"
            ) from None
        finally:
            pool.shutdown(wait=False)
