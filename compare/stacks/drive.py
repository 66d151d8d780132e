#!/usr/bin/env python3
"""drive.py DIR HOW LOG: makes the guest whose sockets are DIR/qmp and DIR/ser crash; LOG is its console."""

import json
import socket
import sys
import threading
import time

work, how, log = sys.argv[1:4]


def connect(path):
    for _ in range(100):
        try:
            s = socket.socket(socket.AF_UNIX)
            s.connect(path)
            return s
        except OSError:
            time.sleep(0.2)
    raise SystemExit(f"no {path}")


def drain(s):
    while s.recv(4096):
        pass


def command(name, **args):
    qmp.write(json.dumps({"execute": name, "arguments": args}) + "\n")
    qmp.flush()
    while "return" not in (reply := json.loads(qmp.readline())):
        if "error" in reply:
            raise SystemExit(f"{name}: {reply['error']}")


def wait(text, limit):
    end = time.time() + limit
    while time.time() < end:
        with open(log, errors="replace") as f:
            if text in f.read():
                return
        time.sleep(0.5)
    raise SystemExit(f"the guest never said {text!r}: see {log}")


serial = connect(work + "/ser")
threading.Thread(target=drain, args=(serial,), daemon=True).start()
with connect(work + "/qmp") as s:
    qmp = s.makefile("rw")
    qmp.readline()
    command("qmp_capabilities")
    wait("LAB: go", 240)
    time.sleep(3)
    if how == "serial":
        command("chardev-send-break", id="ser")
        time.sleep(0.05)
        serial.send(b"c")
    elif how == "nmi":
        command("inject-nmi")
    elif how in ("nmiinirq", "nmiinsoft", "chain", "selfnmi", "dbinnmi", "faultinnmi"):
        wait("stackbug: spinning", 60)
        time.sleep(1)
        command("inject-nmi")
    wait("end Kernel panic", 90)
    time.sleep(2)
