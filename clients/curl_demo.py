"""`highwater demo`: what it prints works when it is pasted into a shell."""

import os
import re
import signal
import subprocess

from raw import check

demo = subprocess.Popen(
    [os.environ["HIGHWATER_BIN"], "demo", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True
)
try:
    lines, commands = [], []
    for line in demo.stdout:
        lines.append(line)
        if line.strip().startswith("curl "):
            command = line.strip()
            while command.endswith("\\"):
                command = command[:-1] + next(demo.stdout).strip()
            commands.append(command)
        if len(commands) == 3:
            break
    check("two accounts", len(set(re.findall(r"[a-z]+@[a-z.]+", "".join(lines)))) >= 2)
    for command in commands:
        answer = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
        wanted = ("SyncFolderItemsResponse", "GetListItemChangesSinceToken", "listitems")
        check(command[:70], answer.returncode == 0 and any(word in answer.stdout for word in wanted), answer.stdout[:500])
        rows = answer.stdout.count("<t:Create>") + answer.stdout.count("<z:row")
        check("  with content", rows > 0, answer.stdout[:500])
finally:
    demo.send_signal(signal.SIGTERM)
check("it ends cleanly", demo.wait(timeout=30) == 0)
