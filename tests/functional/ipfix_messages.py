# SPDX-License-Identifier: BSD-3-Clause
"""Reads IPFIX messages (RFC 7011) as a collector does: what test_sink_ipfix.py compares with the records."""
import ipaddress
import struct

WIRESCORE = 32473
REVERSE = 29305

ELEMENTS = {
    (0, 1): 'octetDeltaCount', (0, 2): 'packetDeltaCount', (0, 4): 'protocolIdentifier', (0, 6): 'tcpControlBits',
    (0, 7): 'sourceTransportPort', (0, 8): 'sourceIPv4Address', (0, 11): 'destinationTransportPort',
    (0, 12): 'destinationIPv4Address', (0, 27): 'sourceIPv6Address', (0, 28): 'destinationIPv6Address',
    (0, 32): 'icmpTypeCodeIPv4', (0, 58): 'vlanId', (0, 136): 'flowEndReason', (0, 139): 'icmpTypeCodeIPv6',
    (0, 148): 'flowId', (0, 152): 'flowStartMilliseconds', (0, 153): 'flowEndMilliseconds',
    (0, 156): 'flowStartNanoseconds', (0, 157): 'flowEndNanoseconds', (0, 239): 'biflowDirection',
    (0, 303): 'informationElementId', (0, 341): 'informationElementName', (0, 346): 'privateEnterpriseNumber',
    (REVERSE, 1): 'reverseOctetDeltaCount', (REVERSE, 2): 'reversePacketDeltaCount',
    (REVERSE, 6): 'reverseTcpControlBits',
}
FLOATS = {(WIRESCORE, 2), (WIRESCORE, 3)}
STRINGS = {(0, 341), (0, 340), (WIRESCORE, 1)}
VARIABLE = 65535


class Session:
    """One transport session: templates, flows as dictionaries, and the names that the exporter gave its elements."""

    def __init__(self):
        self.templates, self.names = {}, {}
        self.flows, self.domains = [], set()
        self.sequence = None  # of the next message
        self.n_template_records = 0
        self.faults = []

    def take(self, message):
        version, length, _, sequence, domain = struct.unpack('!HHIII', message[:16])
        if version != 10 or length != len(message):
            self.faults.append('a header with version %d and length %d of %d' % (version, length, len(message)))
        if self.sequence is None:
            self.sequence = sequence
        if sequence != self.sequence:
            self.faults.append('sequence %d instead of %d' % (sequence, self.sequence))
        self.sequence = sequence
        self.domains.add(domain)
        at = 16
        while at < length:
            set_id, set_length = struct.unpack('!HH', message[at:at + 4])
            if set_length <= 4 or at + set_length > length:
                self.faults.append('a set of %d bytes at %d of %d' % (set_length, at, length))
                return
            self.take_set(set_id, message[at + 4:at + set_length])
            at += set_length

    def take_set(self, set_id, body):
        if set_id in (2, 3):
            self.take_templates(body, set_id == 3)
        elif set_id not in self.templates:
            self.faults.append('data of the unknown template %d' % set_id)
        else:
            fields, is_options = self.templates[set_id]
            at = 0
            while at < len(body):
                record, at = self.read_record(body, at, fields)
                self.sequence += 1
                if is_options:
                    self.names[record['privateEnterpriseNumber'], record['informationElementId']] = \
                        record['informationElementName']
                else:
                    self.flows.append(record)

    def take_templates(self, body, is_options):
        at = 0
        while at < len(body):
            template, n_fields = struct.unpack('!HH', body[at:at + 4])
            at += 6 if is_options else 4
            fields = []
            for _ in range(n_fields):
                number, length = struct.unpack('!HH', body[at:at + 4])
                at += 4
                enterprise = 0
                if number & 0x8000:
                    enterprise, = struct.unpack('!I', body[at:at + 4])
                    at += 4
                fields.append(((enterprise, number & 0x7fff), length))
            self.templates[template] = fields, is_options
            self.n_template_records += 1

    def read_record(self, body, at, fields):
        record = {}
        for element, length in fields:
            if length == VARIABLE:
                length = body[at]
                at += 1
            raw = body[at:at + length]
            if len(raw) != length:
                self.faults.append('a record that ends behind its set')
            at += length
            name = ELEMENTS.get(element) or self.names.get(element) or element
            record[name] = self.read_value(element, raw, name)
        return record, at

    @staticmethod
    def read_value(element, raw, name):
        if element in FLOATS:
            return struct.unpack('!f', raw)[0]
        if element in STRINGS:
            return raw.decode()
        if 'Address' in str(name):
            return str(ipaddress.ip_address(raw))
        return int.from_bytes(raw, 'big')


def split(stream):
    """Whole messages of a TCP stream; the last one may be cut."""
    at = 0
    while at + 16 <= len(stream):
        length = int.from_bytes(stream[at + 2:at + 4], 'big')
        if length < 16 or at + length > len(stream):
            return
        yield stream[at:at + length]
        at += length
