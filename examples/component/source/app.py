"""Counts words: a function that is a WebAssembly component, written in Python."""

import json
import os
import re
import sys
from collections import Counter

import wit_world
from componentize_py_types import Err


class WitWorld(wit_world.WitWorld):
    """The world of `function.wit`. Each call has a fresh instance, made of this one as it is after the imports."""

    def handle(self, event: str) -> str:
        text = json.loads(event).get("text")
        if not isinstance(text, str):
            raise Err("the event has no text")
        words = Counter(re.findall(r"\w+", text.lower()))
        # Not `most_common`, which imports a module when it is called: a component has those that were imported when it
        # was made.
        most = sorted(words.items(), key=lambda word: -word[1])[: int(os.environ.get("MOST", "3"))]
        print(f"counted {words.total()} words", file=sys.stderr)
        return json.dumps({"words": words.total(), "most": most})
