/* SPDX-License-Identifier: BSD-3-Clause */
#include "packet_record.h"

#include <string.h>

#include "ethertype.h"
#include "text.h"

size_t record_packet_ndjson_room(const struct packet_record_format *format)
{
	size_t longest = 0;

	for (int i = 0; i < 3; i++)
		longest = strlen(format->classes[i]) > longest ? strlen(format->classes[i]) : longest;
	return RECORD_PACKET_NDJSON_BYTES + longest + (format->capture ? strlen(format->capture) : 0);
}

size_t record_packet_ndjson(const struct packet_record *record, const struct packet_record_format *format,
			    char *text)
{
	char ethertype[ETHERTYPE_TEXT_SIZE];
	char *at = text_put(text, "{");

	if (format->capture) {
		at = text_put(at, "\"capture\":");
		at = text_put(at, format->capture);
		at = text_put(at, ",");
	}
	at = text_put(at, "\"n\":");
	at = text_put_number(at, record->number);
	at = text_put(at, ",\"ts\":");
	at = text_put_time(at, record->timestamp_ns, format->has_nanoseconds, "null");
	at = text_put(at, ",\"len\":");
	at = text_put_number(at, record->wire_bytes);
	at = text_put(at, ",\"ethertype\":\"");
	at = text_put(at, ethertype_text(record->ethertype, ethertype));
	at = text_put(at, "\",\"class\":");
	at = text_put(at, format->classes[record->class]);
	at = text_put(at, ",\"score\":");
	at = text_put_score(at, record->score);
	at = text_put(at, "}\n");
	return (size_t)(at - text);
}
