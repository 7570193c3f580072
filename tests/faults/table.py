"""How often each fault was tried and survived: `python -m tests.faults.table` prints what test runs of this checkout counted.

Of several runs the one that tried a fault most often counts, so that a fast one does not hide a long one; but any failure
replaces what was known, until the same tests pass again.
"""

import json
from contextlib import contextmanager
from pathlib import Path

PLACE = Path(__file__).resolve().parent.parent.parent / ".pytest_cache" / "faults.json"


class Table(dict):
    """Fault -> [tried, survived]."""

    @contextmanager
    def trying(self, fault):
        """Count one try, and that it was survived unless the body raises."""
        tried, survived = self.get(fault, (0, 0))
        self[fault] = (tried + 1, survived)
        yield
        self[fault] = (tried + 1, survived + 1)

    def write(self):
        """Add to what earlier test runs of this checkout have left."""
        PLACE.parent.mkdir(exist_ok=True)
        known = json.loads(PLACE.read_text()) if PLACE.exists() else {}
        for fault, (tried, survived) in self.items():
            before, passed = known.get(fault, (0, 0))
            if tried >= before or survived < tried or passed < before:
                known[fault] = (tried, survived)
        PLACE.write_text(json.dumps(known, indent=1, sort_keys=True))


TABLE = Table()


def main():
    """Print the table as Markdown."""
    if not PLACE.exists():
        print("nothing counted yet: run pytest tests/faults tests/fuzz [--slow]")
        return
    rows = json.loads(PLACE.read_text())
    width = max(map(len, rows))
    print(f"| {'fault':{width}} | tried | survived |\n| {'-' * width} | ----: | -------: |")
    for fault, (tried, survived) in sorted(rows.items()):
        print(f"| {fault:{width}} | {tried:5,} | {survived:8,} |")


if __name__ == "__main__":
    main()
