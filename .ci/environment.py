"""Make and fill the one virtual environment of tox.ini: `python .ci/environment.py DIR`.

Installs this checkout, editable, with its development tools, at the versions of constraints.txt. Does nothing when the
environment was filled from the same pyproject.toml and constraints.txt by the same Python.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(target: Path) -> int:
    stamp = target / "filled-from"
    inputs = [ROOT / "pyproject.toml", ROOT / "constraints.txt"]
    wanted = hashlib.sha256(b"".join(p.read_bytes() for p in inputs) + sys.version.encode() + bytes(ROOT)).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return 0
    print(f"filling {target.name} (once; torch with its CUDA libraries is about 5 GB) ...", flush=True)
    venv.create(target, with_pip=True, symlinks=True)
    python = target / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    install = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off", "-q"]
    for what in (["-e", f"{ROOT}[dev]", "-c", str(ROOT / "constraints.txt")],):
        if (code := subprocess.run([*install, *what], cwd=ROOT, check=False).returncode) != 0:
            print("installing failed; the lines above say why. The environment is left as it is.", file=sys.stderr)
            return code
    stamp.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
