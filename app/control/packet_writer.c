/* SPDX-License-Identifier: BSD-3-Clause */
#include "packet_writer.h"

int packet_writer_open(struct packet_writer *writer, const char *path, const char *const classes[3])
{
	writer->format = (struct packet_record_format){.classes = {classes[0], classes[1], classes[2]}};
	packet_writer_set_capture(writer, NULL, false);
	return output_open(&writer->output, path);
}

int packet_writer_begin(struct packet_writer *writer)
{
	return output_begin(&writer->output);
}

void packet_writer_set_capture(struct packet_writer *writer, const char *capture, bool has_nanoseconds)
{
	writer->format.capture = capture;
	writer->format.has_nanoseconds = has_nanoseconds;
	writer->line_room = record_packet_ndjson_room(&writer->format);
}

void packet_writer_write(struct packet_writer *writer, const struct packet_record *records, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		char *text = output_reserve(&writer->output, writer->line_room);

		if (!text) {
			writer->output.n_lost += n - i;
			return;
		}
		output_commit(&writer->output, record_packet_ndjson(&records[i], &writer->format, text), true);
	}
}

int packet_writer_close(struct packet_writer *writer)
{
	return output_close(&writer->output);
}
