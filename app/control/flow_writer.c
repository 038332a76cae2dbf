/* SPDX-License-Identifier: BSD-3-Clause */
#include "flow_writer.h"

#include <errno.h>
#include <stdlib.h>

#include "json_text.h"

int flow_writer_open(struct flow_writer *writer, const struct flow_writer_options *options)
{
	writer->options = options;
	writer->format = (struct flow_record_format){
		.layout = options->layout,
		.classes = options->classes,
		.n_classes = options->n_classes,
	};
	writer->record_bytes = flow_record_bytes(&options->layout);
	flow_writer_set_capture(writer, NULL, false);
	return output_open(&writer->output, options->path);
}

int flow_writer_begin(struct flow_writer *writer)
{
	char *path, *text;
	int rc = output_begin(&writer->output);

	if (rc || writer->options->form != FLOW_WRITER_JOY)
		return rc;
	path = json_quoted(writer->options->path);
	if (!path)
		return -ENOMEM;
	text = output_reserve(&writer->output, flow_record_joy_head_room(path));
	if (text)
		output_commit(&writer->output, flow_record_joy_head(&writer->format, path, text), false);
	free(path);
	return text ? 0 : -writer->output.error;
}

void flow_writer_set_capture(struct flow_writer *writer, const char *capture, bool has_nanoseconds)
{
	writer->format.capture = capture;
	writer->format.has_nanoseconds = has_nanoseconds;
	writer->line_room = writer->options->form == FLOW_WRITER_JOY ? flow_record_joy_room(&writer->format)
								     : flow_record_ndjson_room(&writer->format);
}

void flow_writer_write(struct flow_writer *writer, const void *records, uint32_t n)
{
	const uint8_t *at = records;

	for (uint32_t i = 0; i < n; i++, at += writer->record_bytes) {
		const struct flow_record *record = (const struct flow_record *)(const void *)at;
		char *text = output_reserve(&writer->output, writer->line_room);

		if (!text) {
			writer->output.n_lost += n - i;
			return;
		}
		output_commit(&writer->output,
			      writer->options->form == FLOW_WRITER_JOY
				      ? flow_record_joy(record, &writer->format, text)
				      : flow_record_ndjson(record, &writer->format, text),
			      true);
	}
}

int flow_writer_close(struct flow_writer *writer)
{
	return output_close(&writer->output);
}
