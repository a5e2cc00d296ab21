"""A disk that forgets: an NBD server over a UNIX socket whose bytes live in memory. What was written and not flushed is in the disk's volatile cache, and a power cut keeps
an arbitrary part of it, sector by sector, as drives may. A reset of the machine alone loses nothing: the disk keeps its power.
Protocol: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md (fixed newstyle, one export, simple replies)."""
import os
import random
import socket
import struct
import threading

SECTOR = 512

OPT_EXPORT_NAME, OPT_ABORT, OPT_GO = 1, 2, 7
REP_ACK, REP_INFO, REP_ERR_UNSUP = 1, 3, 0x80000001
READ, WRITE, DISC, FLUSH = 0, 1, 2, 3
CMD_FLAG_FUA = 1
FLAGS = 0b1101  # HAS_FLAGS, SEND_FLUSH, SEND_FUA


class Disk:
    """`image`: what is on the disk, durably. One connection at a time; a thread of its own."""

    def __init__(self, path, image):
        self.path = str(path)
        self.durable = bytearray(image)
        self.cached = []                  # (offset, bytes) since the last flush, in order
        self.writes = 0                   # requests that wrote, for ever
        self.flushes = 0
        self.cut_at = None                # with this write the power goes
        self.power_lost = threading.Event()
        self.lock = threading.Lock()
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(1)
        threading.Thread(target=self._serve, daemon=True).start()

    def cut_after(self, writes):
        """The power goes with the `writes`th write from now on; that one may be lost like the others."""
        with self.lock:
            self.cut_at = self.writes + writes

    def cut(self, chooser: random.Random):
        """The power goes now (if it has not): what the medium holds afterwards. `chooser` decides what of the cache was written in time."""
        with self.lock:
            self.power_lost.set()
            keep = chooser.choice((0.0, 0.3, 0.7, 1.0))
            for offset, data in self.cached:
                for at in range(0, len(data), SECTOR):
                    if chooser.random() < keep:
                        self.durable[offset + at:offset + at + len(data[at:at + SECTOR])] = data[at:at + SECTOR]
            lost = len(self.cached)
            self.cached = []
            return bytes(self.durable), lost

    def contents(self):
        """What a reader sees now, the cache included."""
        with self.lock:
            whole = bytearray(self.durable)
            for offset, data in self.cached:
                whole[offset:offset + len(data)] = data
            return bytes(whole)

    def close(self):
        self.listener.close()
        if os.path.exists(self.path):
            os.unlink(self.path)

    def _serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                try:
                    if self._negotiate(peer):
                        self._transmit(peer)
                except (ConnectionError, OSError):
                    pass

    def _negotiate(self, peer):
        peer.sendall(b"NBDMAGICIHAVEOPT" + struct.pack(">H", 1))
        take(peer, 4)
        while True:
            _, option, length = struct.unpack(">QII", take(peer, 16))
            take(peer, length)
            reply = lambda kind, data=b"": peer.sendall(struct.pack(">QIII", 0x3E889045565A9, option, kind, len(data)) + data)
            if option == OPT_GO:
                reply(REP_INFO, struct.pack(">HQH", 0, len(self.durable), FLAGS))
                reply(REP_ACK)
                return True
            if option == OPT_EXPORT_NAME:
                peer.sendall(struct.pack(">QH", len(self.durable), FLAGS) + bytes(124))
                return True
            if option == OPT_ABORT:
                return False
            reply(REP_ERR_UNSUP)

    def _transmit(self, peer):
        while True:
            _, flags, kind, handle, offset, length = struct.unpack(">IHHQQI", take(peer, 28))
            data = take(peer, length) if kind == WRITE else b""
            answer = b""
            with self.lock:
                if self.power_lost.is_set():
                    return
                if kind == DISC:
                    return
                if kind == READ:
                    answer = self._read(offset, length)
                elif kind == WRITE:
                    self.writes += 1
                    if flags & CMD_FLAG_FUA and self.writes != self.cut_at:
                        self.durable[offset:offset + length] = data
                        self._drop(offset, length)
                    else:
                        self.cached.append((offset, data))
                    if self.writes == self.cut_at:
                        self.power_lost.set()
                        return
                elif kind == FLUSH:
                    self.flushes += 1
                    for at, written in self.cached:
                        self.durable[at:at + len(written)] = written
                    self.cached = []
            peer.sendall(struct.pack(">IIQ", 0x67446698, 0, handle) + answer)

    def _read(self, offset, length):
        out = self.durable[offset:offset + length]
        for at, data in self.cached:
            begin, end = max(at, offset), min(at + len(data), offset + length)
            if begin < end:
                out[begin - offset:end - offset] = data[begin - at:end - at]
        return bytes(out)

    def _drop(self, offset, length):
        """Older cached bytes of this range must not come back over newer durable ones."""
        kept = []
        for at, data in self.cached:
            end = at + len(data)
            if end <= offset or at >= offset + length:
                kept.append((at, data))
                continue
            if at < offset:
                kept.append((at, data[:offset - at]))
            if end > offset + length:
                kept.append((offset + length, data[offset + length - at:]))
        self.cached = kept


def take(peer, count):
    out = b""
    while len(out) < count:
        part = peer.recv(count - len(out))
        if not part:
            raise ConnectionError("the other side has gone")
        out += part
    return out
