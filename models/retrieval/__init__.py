# SPDX-License-Identifier: MIT
"""Knowledge bases at nodes: facts, their search by meaning, their exchange, and answers with them.

`facts` are real ones with a question each; `encoder` turns text into vectors; `entry` is what a
base holds and what travels, with all checks on what comes in; `base` stores, searches, merges and
evicts; `answerer` is a small language model that reads what was found; `references` sends what the
other side knows as references. Nothing here knows a network. May import: models.assets,
models.backbone, models.codecs.store, numpy, torch; faiss if it is installed.
"""

from models.retrieval.base import KnowledgeBase, Match
from models.retrieval.entry import Entry, EntryError
from models.retrieval.facts import Fact, load_facts

__all__ = ["Entry", "EntryError", "Fact", "KnowledgeBase", "Match", "load_facts"]
