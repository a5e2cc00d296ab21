#!/usr/bin/env python3
"""Writes fold_table.inc: Unicode simple case folding (statuses C and S of CaseFolding.txt) as ranges, from Python's own Unicode data."""
import sys
import unicodedata


def simple_fold(cp):
    char = chr(cp)
    full = char.casefold()
    if len(full) == 1:
        return ord(full)
    lower = char.lower()  # status S where the full folding is longer
    return ord(lower) if len(lower) == 1 else cp


pairs = [(cp, simple_fold(cp)) for cp in range(0x80, 0x110000) if not 0xD800 <= cp < 0xE000 and simple_fold(cp) != cp]
ranges = []  # low, high, step, delta
for cp, to in pairs:
    delta = to - cp
    if ranges:
        low, high, step, last_delta = ranges[-1]
        if delta == last_delta and (cp - high == step or (low == high and cp - high <= 2)):
            ranges[-1] = (low, cp, cp - high, delta)
            continue
    ranges.append((cp, cp, 1, delta))
print(f"// Made by make_fold_table.py from Unicode {unicodedata.unidata_version}: low, high, step, delta.", file=sys.stdout)
for low, high, step, delta in ranges:
    print(f"{{{low:#x}, {high:#x}, {step}, {delta}}},")
