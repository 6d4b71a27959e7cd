# SPDX-License-Identifier: MIT
"""A simulation and a learner that take turns.

The session runs in a thread of its own, because it calls the agents, while an environment is
called by the learner. They take turns: the session's thread sleeps while the learner thinks, and
the learner waits while ns-3 simulates; so nothing is read while it is written. Simulated time
stands still during a decision.
"""

import queue
import threading
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

ANSWER_TIMEOUT_S = 120.0

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class ClosedError(Exception):
    """The learner has ended the episode."""


class Turns(ABC, Generic[Question, Answer]):
    """One run as a sequence of questions and answers."""

    def __init__(self) -> None:
        self._questions: queue.Queue[tuple[Question] | BaseException | None] = queue.Queue()
        self._answers: queue.Queue[tuple[Answer] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="cosim-episode", daemon=True)
        self._over = False

    def start(self) -> Question | None:
        """Begin to simulate and return the first question, None if there is none.

        Raises:
            RuntimeError: the simulation failed, with its words.
        """
        self._thread.start()
        return self._wait()

    def step(self, answer: Answer) -> Question | None:
        """Answer the question that waits and return the next, None at the end.

        Raises:
            RuntimeError: the episode is over, or the simulation failed.
        """
        if self._over:
            raise RuntimeError("the episode is over: call reset()")
        self._answers.put((answer,))
        return self._wait()

    def close(self) -> None:
        """End the simulation and its processes; closing twice does nothing."""
        if self._thread.is_alive():
            self._answers.put(None)
            self._thread.join(ANSWER_TIMEOUT_S)
        self._over = True

    def ask(self, question: Question) -> Answer:
        """Hand a question to the learner and return its answer; called by the simulation."""
        self._questions.put((question,))
        answer = self._answers.get()
        if answer is None:
            raise ClosedError
        return answer[0]

    @abstractmethod
    def simulate(self) -> None:
        """Run the simulation, which calls `ask`."""

    def _wait(self) -> Question | None:
        try:
            found = self._questions.get(timeout=ANSWER_TIMEOUT_S)
        except queue.Empty:
            self.close()
            raise RuntimeError(f"the simulation has not answered in {ANSWER_TIMEOUT_S} s") from None
        if isinstance(found, tuple):
            return found[0]
        self._over = True
        self._thread.join(ANSWER_TIMEOUT_S)
        if found is not None:
            raise RuntimeError(f"the simulation failed: {found}") from found
        return None

    def _run(self) -> None:
        end: BaseException | None = None
        try:
            self.simulate()
        except ClosedError:
            pass
        except BaseException as error:
            end = error
        self._questions.put(end)
