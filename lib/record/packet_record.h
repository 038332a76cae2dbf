/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One packet's verdict on its way from a worker to whoever writes it, and its text as a line of NDJSON or CSV.
 */
#ifndef WIRESCORE_RECORD_PACKET_H
#define WIRESCORE_RECORD_PACKET_H

#include <stddef.h>
#include <stdint.h>

struct packet_record {
	uint64_t number;       /* from 1: in its capture, or of those that its worker has looked at */
	uint64_t timestamp_ns; /* FRAME_NO_TIME where it is not known */
	uint64_t flow_id;      /* of its flow, as flow records have it; 0: it has none */
	uint32_t wire_bytes;
	float score; /* NAN where no model scored it */
	uint16_t ethertype;
	uint16_t worker; /* of a live run: who looked at it ... */
	uint8_t port;	 /* ... and the index of the port that it came by */
	uint8_t class;	 /* index into packet_record_format.classes */
	uint8_t reserved[2];
};
_Static_assert(sizeof(struct packet_record) == 40, "what passes a ring for every packet");

/* What the lines of one capture have in common. Strings are JSON already, quotes included. */
struct packet_record_format {
	const char *capture;	/* value of "capture", or NULL to leave it out */
	const char *sensor;	/* plain letters, without quotes, for "sensor"; NULL to leave it out */
	const char *classes[3]; /* negative, positive, none */
	const char *names[3];	/* the same as plain text, none being empty: for CSV */
	/* Names by record.port, of letters, digits, - and _; NULL, of a capture: lines have neither port nor worker. */
	const char *const *ports;
	uint32_t n_ports;
	int has_nanoseconds; /* print nine digits of a second, not six */
};

/* Room that a line needs beside the strings of its format. */
#define RECORD_PACKET_NDJSON_BYTES 256

/* Room that any line of this format fits into. */
size_t record_packet_ndjson_room(const struct packet_record_format *format);

/*
 * Writes {"port":..,"worker":..,"n":..,"ts":..,"len":..,"ethertype":..,"class":..,"score":..,"flow_id":"<16 hex
 * digits>"} and a newline, without a NUL, into text, which has record_packet_ndjson_room. Scores are rounded to six
 * decimals. A worker's numbers have gaps where its records were lost. Returns the length.
 */
size_t record_packet_ndjson(const struct packet_record *record, const struct packet_record_format *format,
			    char *text);

/*
 * The same columns as CSV (RFC 4180, CRLF), of a live run; what is null there is empty here. A sensor comes first, where
 * it is set.
 */
size_t record_packet_csv_room(const struct packet_record_format *format);
size_t record_packet_csv_head(const struct packet_record_format *format, char *text);
size_t record_packet_csv(const struct packet_record *record, const struct packet_record_format *format, char *text);

#endif
