"""How often each fault was tried and survived: `python -m tests.faults.table` prints what the last test run counted."""

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
        """Add to what earlier test runs of today's checkout have left."""
        PLACE.parent.mkdir(exist_ok=True)
        known = json.loads(PLACE.read_text()) if PLACE.exists() else {}
        PLACE.write_text(json.dumps(known | self, indent=1))


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
