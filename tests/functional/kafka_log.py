# SPDX-License-Identifier: BSD-3-Clause
"""Reads what a topic has from brokers, batch by batch (Kafka's protocol, Fetch version 4).

librdkafka's mock brokers take any batch of an idempotent producer; real ones refuse those that they have already and
those that come too early, by the sequence numbers in them. as_real_brokers does that afterwards.
"""
import collections
import socket
import struct

FETCH, VERSION = 1, 4
NOT_LEADER = 6
BATCH = struct.Struct('!qiibIhiqqqhii')  # up to the number of records

Message = collections.namedtuple('Message', 'partition key value')
Batch = collections.namedtuple('Batch', 'partition producer epoch sequence next_offset messages')


def string(text):
    return struct.pack('!h', len(text)) + text.encode()


def receive(connection, n):
    got = b''
    while len(got) < n:
        part = connection.recv(n - len(got))
        if not part:
            raise ConnectionError('the broker hung up')
        got += part
    return got


def fetch(connection, topic, partition, offset):
    """The error, the end of the partition, and batches from offset on."""
    body = struct.pack('!iiiibi', -1, 10, 0, 1 << 26, 0, 1) + string(topic) + struct.pack('!iiqi', 1, partition, offset,
                                                                                         1 << 26)
    request = struct.pack('!hhi', FETCH, VERSION, 1) + string('test') + body
    connection.sendall(struct.pack('!i', len(request)) + request)
    answer = receive(connection, struct.unpack('!i', receive(connection, 4))[0])
    at = 4 + 4 + 4 + 2 + len(topic) + 4  # correlation, throttling, one topic, its name, one partition
    _, error, end, _, n_aborted = struct.unpack_from('!ihqqi', answer, at)
    at += 26 + 16 * max(n_aborted, 0)
    n_bytes, = struct.unpack_from('!i', answer, at)
    return error, end, answer[at + 4:at + 4 + max(n_bytes, 0)]


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7f) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at


def read_bytes(data, at):
    n, at = read_varint(data, at)
    return (None, at) if n < 0 else (data[at:at + n], at + n)


def read_batches(data, partition):
    at = 0
    while at + BATCH.size <= len(data):
        base, n_bytes, _, _, _, _, last, _, _, producer, epoch, sequence, n = BATCH.unpack_from(data, at)
        messages, inside = [], at + BATCH.size
        for _ in range(n):
            _, inside = read_varint(data, inside)
            _, inside = read_varint(data, inside + 1)
            _, inside = read_varint(data, inside)
            key, inside = read_bytes(data, inside)
            value, inside = read_bytes(data, inside)
            _, inside = read_varint(data, inside)
            messages.append(Message(partition, key, value))
        yield Batch(partition, producer, epoch, sequence, base + last + 1, messages)
        at += 12 + n_bytes


def read_partition(servers, topic, partition):
    """All of its batches, from the broker that leads it."""
    for server in servers.split(','):
        host, port = server.rsplit(':', 1)
        batches, offset = [], 0
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            error, end, data = fetch(connection, topic, partition, offset)
            while not error and offset < end:
                batches += read_batches(data, partition)
                offset = batches[-1].next_offset
                error, end, data = fetch(connection, topic, partition, offset)
        if not error:
            return batches
        if error != NOT_LEADER:
            raise OSError('Fetch failed with error %d' % error)
    raise OSError('nobody leads partition %d' % partition)


def as_real_brokers(batches):
    """Of one partition: each producer's by their sequence numbers, those sent again once."""
    producers = {}
    for batch in batches:
        producers.setdefault((batch.producer, batch.epoch), {}).setdefault(batch.sequence, batch)
    return [batches[sequence] for batches in producers.values() for sequence in sorted(batches)]
