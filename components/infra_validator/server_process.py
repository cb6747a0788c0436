"""`python -m components.infra_validator.server_process MODELS_DIR`: the server of one candidate.

It is the project's own server, `python -m serving`, on free ports of this machine, with one thing
more: it does not outlive the process that started it.
"""

import os
import runpy
import shutil
import sys
import threading


def main() -> None:
    """Serves until the process is killed, or the one that started it is gone."""
    models_dir = sys.argv[1]
    threading.Thread(target=_end_with_parent, args=(models_dir,), daemon=True).start()
    sys.argv[1:] = [f"--models-dir={models_dir}", "--host=127.0.0.1", "--port=0", "--grpc-port=0"]
    runpy.run_module("serving", run_name="__main__", alter_sys=True)


def _end_with_parent(models_dir: str) -> None:
    """Waits for the end of stdin, which the kernel closes whatever the parent died of."""
    while os.read(0, 4096):
        continue
    shutil.rmtree(models_dir, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    main()
