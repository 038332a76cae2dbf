/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An ONNX file's bytes to a protobuf message, for onnx_read.c. protobuf-c alone would follow a hostile file
 * into a stack overflow (it recurses per nesting level), into gigabytes (an empty message of two bytes costs
 * hundreds) and into hours (a singular message given many times is merged many times). So the bytes are
 * first walked here with protobuf-c's own descriptors, and its memory comes from a budget.
 */
#include <errno.h>
#include <stdlib.h>

#include "onnx.h"

/* A graph's weights lie 4 messages deep, shapes of values 7; every If or Loop nests 4 more. */
#define WIRE_MAX_DEPTH 32

enum wire_type {
	WIRE_VARINT = 0,
	WIRE_64BIT = 1,
	WIRE_BYTES = 2,
	WIRE_32BIT = 5,
};

struct wire {
	const uint8_t *start;
	const uint8_t *at;
	const char *what; /* what is wrong at `at`, when a walk failed */
};

static int wire_varint(struct wire *wire, const uint8_t *end, uint64_t *value)
{
	*value = 0;
	for (unsigned shift = 0; shift < 70 && wire->at < end; shift += 7) {
		uint8_t byte = *wire->at++;
		*value |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
		if (byte < 0x80)
			return 0;
	}
	wire->what = "a number is cut short";
	return -1;
}

/* Steps over n bytes. */
static int wire_skip(struct wire *wire, const uint8_t *end, uint64_t n)
{
	if (n > (uint64_t)(end - wire->at)) {
		wire->what = "a field reaches past the end";
		return -1;
	}
	wire->at += n;
	return 0;
}

static int wire_walk(struct wire *wire, const uint8_t *end, const ProtobufCMessageDescriptor *descriptor,
		     unsigned depth)
{
	uint64_t seen = 0; /* singular messages, by index in the descriptor */

	if (depth > WIRE_MAX_DEPTH) {
		wire->what = "messages are nested too deep";
		return -1;
	}
	while (wire->at < end) {
		uint64_t tag, n;
		if (wire_varint(wire, end, &tag) != 0)
			return -1;
		if (tag >> 3 == 0 || tag > UINT32_MAX) {
			wire->what = "not a protobuf field";
			return -1;
		}
		const ProtobufCFieldDescriptor *field =
			protobuf_c_message_descriptor_get_field(descriptor, (unsigned)(tag >> 3));
		bool message = field != NULL && field->type == PROTOBUF_C_TYPE_MESSAGE;
		if (message && (tag & 7) != WIRE_BYTES) {
			wire->what = "a field is of the wrong type";
			return -1;
		}
		switch (tag & 7) {
		case WIRE_VARINT:
			if (wire_varint(wire, end, &n) != 0)
				return -1;
			break;
		case WIRE_64BIT:
			if (wire_skip(wire, end, 8) != 0)
				return -1;
			break;
		case WIRE_32BIT:
			if (wire_skip(wire, end, 4) != 0)
				return -1;
			break;
		case WIRE_BYTES: {
			if (wire_varint(wire, end, &n) != 0)
				return -1;
			const uint8_t *body = wire->at;
			if (wire_skip(wire, end, n) != 0)
				return -1;
			if (!message)
				break;
			if (field->label != PROTOBUF_C_LABEL_REPEATED) {
				unsigned index = (unsigned)(field - descriptor->fields);
				if (index >= 64 || (seen >> index & 1) != 0) {
					wire->what = "a field that may come once comes again";
					return -1;
				}
				seen |= UINT64_C(1) << index;
			}
			const uint8_t *body_end = wire->at;
			wire->at = body;
			if (wire_walk(wire, body_end, field->descriptor, depth + 1) != 0)
				return -1;
			break;
		}
		default:
			wire->what = "not a protobuf field";
			return -1;
		}
	}
	return 0;
}

/*
 * protobuf-c's allocations in total, freed or not, stay below a limit. The notes that it makes of each field and
 * frees again outweigh what malloc adds to small strings.
 */
struct budget {
	size_t left;
	bool exhausted;
};

static void *budget_alloc(void *data, size_t size)
{
	struct budget *budget = data;
	if (size > budget->left) {
		budget->exhausted = true;
		return NULL;
	}
	budget->left -= size;
	return malloc(size);
}

static void budget_free(void *data, void *pointer)
{
	(void)data;
	free(pointer);
}

int onnx_unpack(const uint8_t *bytes, size_t n_bytes, Onnx__ModelProto **message, char *error, size_t error_size)
{
	struct wire wire = {.start = bytes, .at = bytes};
	/* Weights are copied once; the rest of an honest file is small. */
	struct budget budget = {.left = 2 * n_bytes + (16u << 20)};
	ProtobufCAllocator allocator = {.alloc = budget_alloc, .free = budget_free, .allocator_data = &budget};

	if (wire_walk(&wire, bytes + n_bytes, &onnx__model_proto__descriptor, 0) != 0)
		return onnx_fail(error, error_size, -EINVAL, "not an ONNX file, or not a whole one: byte %zu: %s",
				 (size_t)(wire.at - wire.start), wire.what);
	*message = onnx__model_proto__unpack(&allocator, n_bytes, bytes);
	if (*message != NULL)
		return 0;
	if (budget.exhausted)
		return onnx_fail(error, error_size, -EINVAL,
				 "its %zu bytes ask for far more memory than weights need", n_bytes);
	return onnx_fail(error, error_size, -EINVAL, "not an ONNX file: its fields are of the wrong types");
}
