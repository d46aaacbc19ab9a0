"""The crate `ews` (Thunderbird's types), by the program of ews_crate/: each of its steps is read back by raw SOAP."""

import base64
import os
import subprocess

import raw
from raw import T, check

ids = lambda changes: sorted((kind, item) for kind, item, _ in changes)
states = {}


def folder(id, name):
    answer = raw.ews(
        "<m:GetFolder><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>"
        f'<m:FolderIds><t:FolderId Id="{id}"/></m:FolderIds></m:GetFolder>'
    )
    check("  the second client reads its name", answer.findtext(f".//{T}DisplayName") == name)
    _, states[id] = raw.ews_sync(f'<t:FolderId Id="{id}"/>')


def attachment(item, id):
    answer = raw.ews(f'<m:GetAttachment><m:AttachmentIds><t:AttachmentId Id="{id}"/></m:AttachmentIds></m:GetAttachment>')
    content = base64.b64decode(answer.findtext(f".//{T}Content"))
    check("  the second client reads its bytes", content == (bytes(range(256)) * 40)[:10_000], len(content))
    answer = raw.ews(
        "<m:GetItem><m:ItemShape><t:BaseShape>Default</t:BaseShape></m:ItemShape><m:ItemIds>"
        f'<t:ItemId Id="{item}"/></m:ItemIds></m:GetItem>'
    )
    check("  and the subject", answer.findtext(f".//{T}Subject") == "Crate 03 ✓", answer.findtext(f".//{T}Subject"))
    [home] = states
    changes, states[home] = raw.ews_sync(f'<t:FolderId Id="{home}"/>', states[home])
    check("  and 25 new messages", [kind for kind, _, _ in changes] == ["Create"] * 25, len(changes))


def delta(home, read, flagged, changed, moved, deleted, binned):
    changes, states[home] = raw.ews_sync(f'<t:FolderId Id="{home}"/>', states[home], shape="Default")
    wanted = [("ReadFlagChange", read), ("Update", flagged), ("Update", changed)]
    wanted += [("Delete", one) for one in (moved, deleted, binned)]
    check("  the second client sees the same", ids(changes) == sorted(wanted), ids(changes))
    subjects = {item: change.findtext(f".//{T}Subject") for _, item, change in changes}
    check("  and the new subject", subjects[changed] == "Changed & <shown>", subjects)


def empty(home):
    changes, _ = raw.ews_sync(f'<t:FolderId Id="{home}"/>')
    check("  the second client finds nothing", changes == [], changes)


environment = {**os.environ, "HIGHWATER_USER": raw.ANNA[0], "HIGHWATER_PASSWORD": raw.ANNA[1]}
program = subprocess.Popen(
    [os.environ["EWS_CRATE_BIN"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
)
steps = []
with program:
    for line in program.stdout:
        if line.startswith("step "):
            _, name, *values = line.split()
            {"folder": folder, "attachment": attachment, "delta": delta, "empty": empty}[name](*values)
            steps.append(name)
            program.stdin.write("go on\n")
            program.stdin.flush()
        else:
            print(line, end="", flush=True)
check("the program ends well", program.returncode == 0, program.returncode)
check("every step was read back", steps == ["folder", "attachment", "delta", "empty"], steps)
