/* SPDX-License-Identifier: BSD-3-Clause */
#include "packet_record.h"

#include <string.h>

#include "ethertype.h"
#include "text.h"

/* The length of the longest of n texts. */
static size_t longest_of(const char *const *texts, uint32_t n)
{
	size_t longest = 0;

	for (uint32_t i = 0; i < n; i++)
		longest = strlen(texts[i]) > longest ? strlen(texts[i]) : longest;
	return longest;
}

size_t record_packet_ndjson_room(const struct packet_record_format *format)
{
	return RECORD_PACKET_NDJSON_BYTES + longest_of(format->classes, 3) +
	       longest_of(format->ports, format->n_ports) + (format->capture ? strlen(format->capture) : 0) +
	       text_sensor_room(format->sensor);
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
	at = text_put_sensor(at, format->sensor);
	if (format->ports) {
		at = text_put(text_put(at, "\"port\":\""), format->ports[record->port]);
		at = text_put(text_put_number(text_put(at, "\",\"worker\":"), record->worker), ",");
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
	if (record->flow_id)
		at = text_put(text_put_hex64(text_put(at, ",\"flow_id\":\""), record->flow_id), "\"}\n");
	else
		at = text_put(at, ",\"flow_id\":null}\n");
	return (size_t)(at - text);
}

size_t record_packet_csv_room(const struct packet_record_format *format)
{
	return RECORD_PACKET_NDJSON_BYTES + TEXT_CSV_FACTOR * longest_of(format->names, 3) +
	       longest_of(format->ports, format->n_ports) + text_sensor_room(format->sensor);
}

size_t record_packet_csv_head(const struct packet_record_format *format, char *text)
{
	char *at = format->sensor ? text_put(text, "sensor,") : text;

	return (size_t)(text_put(at, "port,worker,n,ts,len,ethertype,class,score,flow_id\r\n") - text);
}

size_t record_packet_csv(const struct packet_record *record, const struct packet_record_format *format, char *text)
{
	char ethertype[ETHERTYPE_TEXT_SIZE];
	char *at = format->sensor ? text_put(text_put(text, format->sensor), ",") : text;

	at = text_put_number(text_put(text_put(at, format->ports[record->port]), ","), record->worker);
	at = text_put_number(text_put(at, ","), record->number);
	at = text_put_time(text_put(at, ","), record->timestamp_ns, format->has_nanoseconds, "");
	at = text_put_number(text_put(at, ","), record->wire_bytes);
	at = text_put(text_put(at, ","), ethertype_text(record->ethertype, ethertype));
	at = text_put_csv(text_put(at, ","), format->names[record->class]);
	at = text_put(at, ",");
	if (!isnan(record->score))
		at = text_put_score(at, record->score);
	at = text_put(at, ",");
	if (record->flow_id)
		at = text_put_hex64(at, record->flow_id);
	at = text_put(at, "\r\n");
	return (size_t)(at - text);
}
