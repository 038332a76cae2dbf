# SPDX-License-Identifier: BSD-3-Clause
"""
A link with delay, jitter and loss between two interfaces, for kernels without netem. Started by network.py.
Usage: relay.py INNER OUTER DELAY_MS JITTER_MS LOSS_PERCENT SEED
"""
import collections
import random
import select
import socket
import sys
import time

ETH_P_ALL = 3
PACKET_OUTGOING = 4
FRAME_BYTES = 2048
QUEUE_FRAMES = 4000
BURST_FRAMES = 64
BUFFER_BYTES = 8 << 20


def open_interface(name):
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUFFORCE if hasattr(socket, "SO_RCVBUFFORCE") else 33,
                    BUFFER_BYTES)
    link.bind((name, 0))
    link.setblocking(False)
    return link


class Direction:
    """Frames from one interface to the other, in order, each after its delay."""

    def __init__(self, source, target, delay_s, jitter_s, loss, seed):
        self.source = source
        self.target = target
        self.delay_s = delay_s
        self.jitter_s = jitter_s
        self.loss = loss
        self.random = random.Random(seed)
        self.queue = collections.deque()
        self.last = 0.0

    def receive(self, now):
        for _ in range(BURST_FRAMES):
            try:
                frame, address = self.source.recvfrom(FRAME_BYTES)
            except BlockingIOError:
                return
            draw = self.random.random()
            if address[2] == PACKET_OUTGOING or draw < self.loss or len(self.queue) >= QUEUE_FRAMES:
                continue
            due = now + max(0.0, self.delay_s + self.random.gauss(0, self.jitter_s))
            self.last = max(self.last, due)
            self.queue.append((self.last, frame))

    def send(self, now):
        """Sends what is due; returns the seconds until the next one is."""
        while self.queue and self.queue[0][0] <= now:
            try:
                self.target.send(self.queue.popleft()[1])
            except OSError:
                pass
        return max(0.0, self.queue[0][0] - now) if self.queue else 1.0


def main():
    inner, outer = open_interface(sys.argv[1]), open_interface(sys.argv[2])
    delay_s, jitter_s, loss = (float(sys.argv[3]) / 1e3, float(sys.argv[4]) / 1e3, float(sys.argv[5]) / 100)
    seed = int(sys.argv[6])
    directions = {inner.fileno(): Direction(inner, outer, delay_s, jitter_s, loss, seed),
                  outer.fileno(): Direction(outer, inner, delay_s, jitter_s, loss, seed + 1)}
    poll = select.epoll()
    for number in directions:
        poll.register(number, select.EPOLLIN)
    while True:
        now = time.monotonic()
        wait_s = min(direction.send(now) for direction in directions.values())
        for number, _ in poll.poll(wait_s):
            directions[number].receive(time.monotonic())


if __name__ == "__main__":
    main()
