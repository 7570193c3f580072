"""Signals at a bad moment."""

import signal
import subprocess
import sys

COMMAND = """
from seq2seq.run.signals import interrupt, on_signals

with on_signals(interrupt):
    import swallows
print("went on")
"""


def test_a_signal_during_an_import_is_not_lost(tmp_path):
    """Libraries catch whatever is raised while they try an import, Ctrl-C and SIGTERM too."""
    swallows = "import os\n\ntry:\n    os.kill(os.getpid(), 15)\nexcept BaseException:\n    pass\n"
    (tmp_path / "swallows.py").write_text(swallows)
    code = f"import sys\nsys.path.append({str(tmp_path)!r})\n{COMMAND}"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (child.returncode, child.stdout, child.stderr) == (128 + signal.SIGTERM, "", "")
