# SPDX-License-Identifier: BSL-1.0
#
# Which instructions lock memory (a lock prefix, xchg with memory) and are executed for every message:
# callgrind counts each instruction, objdump tells what it is. x86 only. What a turn or a connection
# costs once shows as a small part of an execution a message, and is left out.
import collections
import platform
import re
import shutil
import subprocess

from .counts import count_by_instruction
from .programs import Missing

OFTEN = 0.5  # executions a message from which on an instruction counts as one of each message

LOCKS = re.compile(r"lock\b|xchg\b.*\(")
DISASSEMBLED = re.compile(r"^ *([0-9a-f]+):\t(.*)$", re.MULTILINE)
NAMED = re.compile(r"(c?)(ob|fn)=\((\d+)\)(?: (.*))?")


def locked_instructions(programs, options, command, seconds):
    """Executions of such instructions per echoed message; each is printed."""
    if platform.machine() not in ("x86_64", "i686"):
        raise Missing("which instructions lock memory is known for x86 only")
    if not shutil.which("objdump"):
        raise Missing("objdump is missing: apt-get install binutils")
    lines, requests = count_by_instruction(programs, options, command, seconds)
    found = 0.0
    for file, at, function, count in executed(lines):
        if count / requests < OFTEN:
            continue
        text = disassembled(file).get(at, "")
        if LOCKS.match(text):
            print(f"  {count / requests:.2f} a message: {text}   in {function}")
            found += count / requests
    return found


def executed(lines):
    """File, address, function and count of each instruction in callgrind's format, version 1."""
    names, counts = {}, collections.Counter()
    functions = {}
    here = {"ob": None, "fn": None}
    at, of_a_call = 0, False
    for line in lines:
        named = NAMED.match(line)
        if named:
            called, kind, number, name = named.groups()
            if name:
                names[kind, number] = name
            if not called:
                here[kind] = names[kind, number]
        elif line.startswith("calls="):
            of_a_call = True  # the next line has what the callee cost
        elif line[:1] in tuple("0123456789+-*") and len(words := line.split()) == 3:
            at = moved(at, words[0])
            if not of_a_call:
                counts[here["ob"], at] += int(words[2])
                functions[here["ob"], at] = here["fn"]
            of_a_call = False
    return [(file, at, functions[file, at], count) for (file, at), count in counts.items()]


def moved(at, word):
    if word == "*":
        return at
    return at + int(word) if word[0] in "+-" else int(word, 16)


def disassembled(file, known={}):
    """Instruction by address; nothing for what is no file (the kernel's page, [vdso])."""
    if file not in known:
        done = subprocess.run(["objdump", "-d", "-w", "--no-show-raw-insn", file], capture_output=True, text=True)
        known[file] = {int(at, 16): text for at, text in DISASSEMBLED.findall(done.stdout)}
    return known[file]
