#!/usr/bin/env python3
"""A verifier of channel files written from docs/reference/channel-format.md alone, to try the document: it must answer as the project's verifier does.

    independent_verifier.py INPUTS FILE...              says for each file whether it is accepted, or why not
    independent_verifier.py --compare PROGRAM COUNT SEED  asks PROGRAM (document_samples.cpp) for damaged files with the project's answers and compares
"""
import collections
import math
import struct
import subprocess
import sys

INPUTS_MAX, FILE_MAX, INSTANCES_MAX, PROGRAM_MAX = 1024, 64 << 20, 65536, 8192
NONE = EVERY = ACCEPT = 0xFFFFFFFF
REJECT = 0xFFFFFFFE
RECORDS = [("texts", "s"), ("text_refs", "2I"), ("numbers", "I"), ("instances", "18I"), ("entries", "2I"), ("nodes", "3I"), ("predicates", "BBH7I"), ("tokens", "3I"), ("regexes", "2I32s2I"),
           ("instructions", "BBHII"), ("classes", "16s2I"), ("ranges", "2I"), ("indexes", "22I"), ("slots", "3I"), ("candidates", "2I"), ("bitmaps", "Q")]
Predicate = collections.namedtuple("Predicate", "kind flags zero input operand operand_count extra extra_count other seen")
MASK = (1 << 64) - 1


class Refused(Exception):
    pass


def need(condition, what):
    if not condition:
        raise Refused(what)


def chunks(size):
    return 1 + size // 16


def capped(number):
    return min(number, MASK)


def mix(x):
    x = (x & MASK) * 0x9E3779B97F4A7C15 & MASK
    x ^= x >> 32
    x = x * 0xD6E8FEB86659FD93 & MASK
    return x ^ x >> 29


def rotate_left(x, by):
    return (x << by | x >> (64 - by)) & MASK


def tail(data):
    return int.from_bytes(data, "little")


def gram_bit(gram, log2):
    return (tail(gram) * 0x9E3779B1 & 0xFFFFFFFF) >> (32 - log2)


def ascending(numbers):
    return all(a < b for a, b in zip(numbers, numbers[1:]))


class File:
    def __init__(self, data, inputs):
        self.read(data, inputs)
        for check in (self.texts_inside, self.tokens_make_sense, self.classes_make_sense, self.programs_make_sense, self.predicates_make_sense, self.instances_make_sense, self.conditions_lead_forward,
                      self.inputs_are_exact, self.indexes_find_all, self.clauses_are_sound, self.cost_is_true):
            check()

    # ---- header and sections
    def read(self, data, inputs):
        need(232 <= len(data) <= FILE_MAX, "size")
        magic, version, size, _, _, self.inputs, type_offset, type_size, *self.declared = struct.unpack_from("<8sII32sIIII4Q", data)
        need(magic == b"Creance\x1a" and version == 1 and size == len(data) and self.inputs <= INPUTS_MAX and self.inputs == inputs, "header")
        self.type_id = (type_offset, type_size)
        self.sample_events, zero = struct.unpack_from("<2I", data, 224)
        self.zero = zero
        at = 232
        for i, (name, form) in enumerate(RECORDS):
            offset, count = struct.unpack_from("<2I", data, 96 + 8 * i)
            width = struct.calcsize("<" + form)
            need(offset == at, "sections do not follow")
            end = at + count * width
            at = (end + 7) // 8 * 8
            need(at <= len(data) and not any(data[end:at]), "section outside, or padding")
            body = data[offset:end]
            if name == "texts":
                self.texts = body
                continue
            records = list(struct.iter_unpack("<" + form, body))
            setattr(self, name, [r[0] for r in records] if len(form) == 1 else records)
        need(at == len(data), "bytes behind")
        need(len(self.instances) <= INSTANCES_MAX, "instances")
        self.predicates = [Predicate(*p) for p in self.predicates]

    def inside(self, offset, count, table):
        return offset + count <= len(table)

    def text(self, offset, size):
        need(self.inside(offset, size, self.texts), "text outside")
        return self.texts[offset:offset + size]

    def listed(self, first, count):
        need(self.inside(first, count, self.numbers), "list outside")
        return self.numbers[first:first + count]

    def literal(self, p):
        return self.texts[p.operand:p.operand + p.operand_count]

    # ---- texts, patterns, programs
    def texts_inside(self):
        need(self.zero == 0, "header")
        for ref in [self.type_id, *self.text_refs]:
            self.text(*ref)

    def tokens_make_sense(self):
        for kind, offset, size in self.tokens:
            need(1 <= kind <= 4, "token")
            if kind == 1:
                need(size > 0 and self.text(offset, size) is not None, "token text")
            else:
                need(offset == 0 and size == 0, "token text")

    def classes_make_sense(self):
        following = 0
        for _, first, count in self.classes:
            need(first == following and self.inside(first, count, self.ranges), "class")
            following += count
            least = 128
            for low, high in self.ranges[first:first + count]:
                need(least <= low <= high <= 0x10FFFF, "range")
                least = high + 1
        need(following == len(self.ranges), "ranges left over")

    def programs_make_sense(self):
        following = 0
        for first, count, first_bytes, flags, zero in self.regexes:
            need(first == following and self.inside(first, count, self.instructions) and 1 <= count <= PROGRAM_MAX and flags <= 3 and zero == 0, "program")
            following += count
            program = self.instructions[first:first + count]
            for kind, argument, nothing, out, operand in program:
                need(1 <= kind <= 7 and nothing == 0, "instruction")
                need(1 <= argument <= 6 if kind == 7 else argument == 0, "argument")
                need(out == 0 if kind == 1 else out < count, "out")
                need({2: operand <= 0x10FFFF, 3: operand < len(self.classes), 6: operand < count}.get(kind, operand == 0), "operand")
            bits, empty = self.first_bytes(program)
            said = flags >> 1
            need(tail(first_bytes) == bits and said == empty and flags & 1 == self.anchored(program), "what is said about a program")
        need(following == len(self.instructions), "instructions left over")

    @staticmethod
    def reached(program, stop_at_begin):
        seen, todo = set(), [0]
        while todo:
            at = todo.pop()
            if at in seen:
                continue
            seen.add(at)
            kind, argument, _, out, operand = program[at]
            if kind == 6:
                todo += [out, operand]
            if kind == 7 and not (stop_at_begin and argument == 1):
                todo.append(out)
        return [program[i] for i in seen]

    def first_bytes(self, program):
        bits, empty = 0, 0
        whole = (1 << 256) - 1
        upper = {False: sum(1 << b for b in range(0xC2, 0xF5)), True: sum(1 << b for b in range(0x80, 0x100))}
        for kind, _, _, _, operand in self.reached(program, False):
            if kind == 1:
                bits, empty = whole, 1
            elif kind == 2:
                bits |= 1 << operand if operand < 128 else upper[operand == 0xFFFD]
            elif kind == 3:
                ascii_bits, first, count = self.classes[operand]
                bits |= tail(ascii_bits)
                if count:
                    bits |= upper[any(low <= 0xFFFD <= high for low, high in self.ranges[first:first + count])]
            elif kind == 4:
                bits |= whole
            elif kind == 5:
                bits |= whole & ~(1 << 10)
        return bits, empty

    def anchored(self, program):
        return int(all(i[0] in (6, 7) for i in self.reached(program, True)))

    # ---- predicates and instances
    def predicates_make_sense(self):
        woken = 0
        for p in self.predicates:
            need(1 <= p.kind <= 17 and p.zero == 0 and p.flags <= 3, "predicate")
            need(p.seen <= (self.sample_events if p.kind in (2, 3, 4, 5) else 0), "seen")
            need(p.input == EVERY or p.input < self.inputs, "predicate's input")
            bare = p.operand == 0 and p.operand_count == 0
            if p.kind in (2, 3, 4, 5):
                self.text(p.operand, p.operand_count)
            elif p.kind == 6:
                need(p.operand_count > 0 and self.inside(p.operand, p.operand_count, self.tokens), "pattern")
                kinds = [t[0] for t in self.tokens[p.operand:p.operand + p.operand_count]]
                need((2, 2) not in zip(kinds, kinds[1:]), "two runs")
            elif p.kind == 7:
                need(p.operand < len(self.regexes) and p.operand_count == 1, "program named")
            elif p.kind == 8:
                family, length = p.other >> 8, p.other & 255
                need(family in (4, 6) and length <= (32 if family == 4 else 128) and p.operand_count == 16, "network")
                need(int.from_bytes(self.text(p.operand, 16), "big") & ((1 << (128 - length)) - 1) == 0, "bits behind the prefix")
            elif 9 <= p.kind <= 12:
                need(bare and p.other <= 1 and (p.other == 1 or math.isfinite(struct.unpack("<d", struct.pack("<2I", p.extra, p.extra_count))[0])), "number")
            elif p.kind == 17:
                need(bare and 1 <= p.other >> 8 <= 6 and 1 <= p.other & 255 <= 5 and p.extra <= 9999 and p.extra_count == 0, "part of a time")
            elif p.kind >= 13:
                need(bare and p.other < self.inputs and p.input != EVERY, "other input")
            else:
                need(bare, "operand")
            if p.flags & 2:
                need(p.kind in (2, 3, 4, 5) and not p.flags & 1, "cannot be indexed")
                wakes = self.listed(p.extra, p.extra_count)
                need(ascending(wakes) and all(i < len(self.instances) for i in wakes), "wake list")
                woken += len(wakes)
            elif not (9 <= p.kind <= 12 or p.kind == 17):
                need(p.extra == 0 and p.extra_count == 0, "wake list of a predicate that is not indexed")
            need(p.other == 0 or p.kind >= 8, "other")
        need(woken <= len(self.numbers), "wake lists overlap")

    def instances_make_sense(self):
        total = 0
        for r in self.instances:
            for i in (0, 2, 4, 6):
                self.text(r[i], r[i + 1])
            need(self.inside(r[8], r[9], self.text_refs) and self.inside(r[10], r[11], self.text_refs), "list of texts")
            inputs, clause = self.listed(r[12], r[13]), self.listed(r[14], r[15])
            need(r[16] <= 1 and r[17] == 0 and ascending(inputs) and ascending(clause), "instance")
            total += len(inputs) + len(clause)
        need(total <= len(self.numbers), "lists overlap")

    def conditions_lead_forward(self):
        need(len(self.entries) == len(self.instances), "entries")
        following = 0
        for first, count in self.entries:
            need(first == following and count > 0 and self.inside(first, count, self.nodes), "entry")
            following += count
            for i in range(first, following):
                predicate, *targets = self.nodes[i]
                need(predicate < len(self.predicates), "decision's predicate")
                need(all(t in (ACCEPT, REJECT) or i < t < following for t in targets), "decision goes back")
        need(following == len(self.nodes), "nodes left over")

    def conditions(self):
        for record, (first, count) in zip(self.instances, self.entries):
            yield record, range(first, first + count)

    def inputs_are_exact(self):
        for record, nodes in self.conditions():
            read = [self.predicates[self.nodes[n][0]] for n in nodes]
            inputs = {p.input for p in read} | {p.other for p in read if 13 <= p.kind <= 16}
            need(self.listed(record[12], record[13]) == sorted(inputs - {EVERY}) and (record[16] & 1) == (EVERY in inputs), "inputs are not exact")

    # ---- indexes
    def indexes_find_all(self):
        self.next_slot = self.next_candidate = self.next_bitmap = 0
        least = 0
        for index in self.indexes:
            need(index[0] >= least and (index[0] < self.inputs or index[0] == EVERY) and index[21] == 0, "index")
            least = index[0] + 1
            suffix_sizes, near_sizes = index[1], index[20]
            for at in (2, 4, 6, 10, 12):
                self.table_makes_sense(index[at], index[at + 1])
            for at, tables in ((14, (2, 4, 6)), (16, (10,)), (18, (12,))):
                first, log2 = index[at], index[at + 1]
                need(any(index[t + 1] != NONE for t in tables) == (log2 != NONE), "bitmap without a table, or a table without")
                if log2 == NONE:
                    need(first == 0, "no bitmap")
                    continue
                need(6 <= log2 <= 18 and first == self.next_bitmap and first + (1 << log2) // 64 <= len(self.bitmaps), "bitmap")
                self.next_bitmap += (1 << log2) // 64
            need(suffix_sizes <= 255 and (suffix_sizes == 0) == (index[5] == NONE), "suffix sizes")
            need(near_sizes & ~14 == 0 and (near_sizes == 0) == (index[11] == NONE), "near sizes")
            lengths = self.listed(index[8], index[9])
            need(ascending(lengths) and (not lengths) == (index[7] == NONE), "prefix lengths")
        need(self.next_slot == len(self.slots) and self.next_candidate == len(self.candidates) and self.next_bitmap == len(self.bitmaps), "tables left over")
        places = collections.defaultdict(list)
        for index in self.indexes:
            for name, at, kind in (("exact", 2, 2), ("suffix", 4, 4), ("prefix", 6, 3), ("near", 10, 5), ("far", 12, 5)):
                if index[at + 1] != NONE:
                    self.table_is_findable(index, name, index[at], 1 << index[at + 1], kind, places)
        for i, p in enumerate(self.predicates):
            found = places[i]
            whole = [where for where, _ in found if where != "far"]
            far = sorted(offset % 4 for where, offset in found if where == "far")
            need(len(whole) + len(far) == 0 or (len(whole) == 1 and not far) or (not whole and len(set(far)) == len(far)), "candidate twice")
            need(not p.flags & 2 or len(whole) == 1 or far == [0, 1, 2, 3], "indexed predicate is not found")

    def table_makes_sense(self, first, log2):
        if log2 == NONE:
            return need(first == 0, "no table")
        need(log2 <= 24 and first == self.next_slot and self.inside(first, 1 << log2, self.slots), "table")
        self.next_slot += 1 << log2
        empty = False
        for tag, start, count in self.slots[first:first + (1 << log2)]:
            if count == 0:
                empty = True
                need(tag == 0 and start == 0, "empty slot")
                continue
            need(start == self.next_candidate and self.inside(start, count, self.candidates), "slot's candidates")
            self.next_candidate += count
            for predicate, _ in self.candidates[start:start + count]:
                need(predicate < len(self.predicates) and self.predicates[predicate].flags & 2, "candidate")
        need(empty, "no empty slot")

    def has_bit(self, first, bit):
        return self.bitmaps[first + bit // 64] >> (bit % 64) & 1

    def key(self, index, name, text, offset):
        """The hash of a candidate's key, or nothing where it has no place."""
        size = len(text)
        if name in ("exact", "suffix", "prefix"):
            key = self.anchored_key(index, name, text, size) if offset == 0 else None
            return key if key is not None and self.has_bit(index[14], key >> (64 - index[15])) else None
        k = min(4, size)
        if size < (2 if name == "near" else 7) or offset + k > size:
            return None
        gram = text[offset:offset + k]
        at = 16 if name == "near" else 18
        if not self.has_bit(index[at], gram_bit(gram, index[at + 1])) or (name == "near" and not index[20] >> (k - 1) & 1):
            return None
        return mix(tail(gram) + (k << 32))

    def anchored_key(self, index, name, text, size):
        if name == "exact":
            n = min(8, size)
            return mix(tail(text[:n]) + 3 * rotate_left(tail(text[size - n:]), 29) + size)
        if name == "suffix":
            k = min(8, size)
            return mix(tail(text[size - k:]) + (k << 56)) if size and index[1] >> (k - 1) & 1 else None
        return mix(tail(text[size - min(8, size):]) ^ rotate_left(size, 48)) if size and size in self.listed(index[8], index[9]) else None

    def table_is_findable(self, index, name, first, size, kind, places):
        for s in range(size):
            _, start, count = self.slots[first + s]
            for predicate, offset in self.candidates[start:start + count]:
                p = self.predicates[predicate]
                need(p.input == index[0] and p.kind == kind, "candidate in the wrong table")
                key = self.key(index, name, self.literal(p), offset)
                need(key is not None and self.search(first, size, key) == s, "candidate is not where its key leads")
                places[predicate].append((name, offset))

    def search(self, first, size, key):
        at = key % size
        for _ in range(min(64, size)):
            tag, _, count = self.slots[first + at]
            if count == 0:
                return None
            if tag == key >> 32:
                return at
            at = (at + 1) % size
        return None

    def clauses_are_sound(self):
        for i, (record, nodes) in enumerate(self.conditions()):
            clause = self.listed(record[14], record[15])
            if not clause:
                continue
            for c in clause:
                need(c < len(self.predicates) and self.predicates[c].flags & 2, "clause")
                need(i in self.listed(self.predicates[c].extra, self.predicates[c].extra_count), "clause does not wake")
            reached = {nodes[0]}
            for n in nodes:
                if n in reached:
                    predicate, if_true, if_false = self.nodes[n]
                    reached |= {if_false} if predicate in clause else {if_true, if_false}
            need(ACCEPT not in reached, "matches without being woken")

    # ---- cost
    def cost_of_predicate(self, p):
        size = p.operand_count
        if p.kind in (1, 8):
            return 4, 1
        if p.kind in (2, 3, 4):
            return 4 + chunks(size), 1
        if p.kind == 5:
            return 4 + chunks(size), 2 + chunks(size)
        if p.kind == 6:
            a = 1 + sum(chunks(t[2]) for t in self.tokens[p.operand:p.operand + size])
            return 4 + 2 * a, 1 + a
        if p.kind == 7:
            position = 4 * self.regexes[p.operand][1] + 4
            return 4 + 2 * position, 1 + position
        if p.kind <= 12 or p.kind == 17:
            return 5, 1
        return 4 + 3 * 4097 + 2 * chunks(131072), 1 + 2 * 4097 + chunks(131072)

    def cost_of_search(self, first, log2):
        if log2 == NONE:
            return 0
        slots = self.slots[first:first + (1 << log2)]
        run = longest = chain = 0
        for _, start, count in slots + slots:
            run = run + 1 if count else 0
            longest = max(longest, run)
            chain = max(chain, sum(chunks(self.predicates[c].operand_count) for c, _ in self.candidates[start:start + count]))
        return 1 + longest + chain

    def cost_of_index(self, index):
        exact, suffix, prefix, near, far = (self.cost_of_search(index[at], index[at + 1]) for at in (2, 4, 6, 10, 12))
        value = 4 + exact + bin(index[1]).count("1") * suffix + index[9] * (1 + prefix)
        return value, 3 + bin(index[20]).count("1") * (1 + near) + far

    def cost_is_true(self):
        parts = [(p.input, *self.cost_of_predicate(p)) for p in self.predicates if not p.flags & 2] + [(i[0], *self.cost_of_index(i)) for i in self.indexes]
        fixed = 16 + 4 * self.inputs
        for record in self.instances:
            fixed += 1 + record[13]
        fixed += sum(count for _, count in self.entries)
        for p in self.predicates:
            fixed += 1 + p.extra_count if p.flags & 2 else 1 + self.inputs if p.input == EVERY else 1
        bound = fixed
        for read, value, byte in parts:
            bound += value * (self.inputs + 4096) + byte * (self.inputs * 65536 + 65536) if read == EVERY else value * 4097 + byte * 131072
        mine = [capped(bound), capped(fixed), capped(sum(p[1] for p in parts)), capped(sum(p[2] for p in parts))]
        need(mine == list(self.declared), f"cost: {mine} against {self.declared}")
        need(bound <= 1 << 38, "too much")


def verdict(data, inputs):
    try:
        File(data, inputs)
    except Refused as refused:
        return str(refused)
    return ""


def compare(program, count, seed):
    stream = subprocess.run([program, str(count), str(seed)], stdout=subprocess.PIPE, check=True).stdout
    at = accepted = wrong = 0
    codes = collections.Counter()
    while at < len(stream):
        (size,) = struct.unpack_from("<I", stream, at)
        theirs, code = stream[at + 4] == 1, stream[at + 5:at + 13].rstrip(b"\0").decode()
        data = stream[at + 13:at + 13 + size]
        at += 13 + size
        mine = verdict(data, 3)
        accepted += theirs
        codes[code or "accepted"] += 1
        if (mine == "") != theirs:
            wrong += 1
            print(f"a file of {size} bytes: the document's verifier says `{mine or 'accepted'}`, the project's {code or 'accepted'}", file=sys.stderr)
    print(f"{sum(codes.values())} files, {wrong} answered differently; {dict(sorted(codes.items()))}")
    enough = accepted > count // 10 and len(codes) >= 20
    if not enough:
        print("the samples hardly try the verifiers: too few are accepted, or too few kinds of refusal", file=sys.stderr)
    return 0 if wrong == 0 and enough else 1


if __name__ == "__main__":
    if len(sys.argv) == 5 and sys.argv[1] == "--compare":
        sys.exit(compare(sys.argv[2], int(sys.argv[3]), sys.argv[4]))
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    answers = [(name, verdict(open(name, "rb").read(), int(sys.argv[1]))) for name in sys.argv[2:]]
    for name, answer in answers:
        print(f"{name}: {answer or 'accepted'}")
    sys.exit(1 if any(answer for _, answer in answers) else 0)
