/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A burst of arbitrary frames through the parser and the packet engine. Input: a link type, then frames, each
 * behind a byte with its length; one whose last byte is 4 x + 1 was x bytes longer on the wire. Every frame is in
 * memory of exactly its length, so that the sanitizer sees a byte read too far.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "classify.h"
#include "packet_rule.h"
#include "packet_sanity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct packet_engine *engine_create(void)
{
	struct model *model = model_new();
	struct packet_engine *engine;
	struct nn_layer *layer;
	char error[256];

	model->task = MODEL_TASK_PACKET;
	model->threshold = 0.5f;
	model->network.n_in = 22;
	model->network.n_layers = 1;
	layer = &model->network.layers[0];
	if (nn_layer_init(layer, 22, 1, NN_SIGMOID))
		abort();
	for (uint32_t i = 0; i < 22; i++)
		layer->weights[i] = (float)i - 11.0f;
	if (packet_engine_create(model, nn_kernel_find(NULL), &engine, error, sizeof(error)))
		abort();
	model_free(model);
	return engine;
}

static void check(int condition)
{
	if (!condition)
		abort();
}

/* The burst at every depth: what holds of any packet, and the same link layer at all of them. */
static void check_parser(enum packet_link link, const struct frame *frames, uint32_t n)
{
	struct packet packets[PACKET_DEPTH_INNER + 1][CLASSIFY_MAX_BURST];
	struct packet_rule rule = {.kind = PACKET_RULE_IP};

	for (int depth = PACKET_DEPTH_TYPE; depth <= PACKET_DEPTH_INNER; depth++) {
		packet_parse_burst(link, (enum packet_depth)depth, frames, n, packets[depth]);
		for (uint32_t i = 0; i < n; i++) {
			check(packet_contradiction(&frames[i], (enum packet_depth)depth, &packets[depth][i]) ==
			      NULL);
			check(packet_link_is_same(&packets[PACKET_DEPTH_TYPE][i], &packets[depth][i]));
		}
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct packet *outer = &packets[PACKET_DEPTH_OUTER][i],
				    *inner = &packets[PACKET_DEPTH_INNER][i];

		check(!outer->ip_version == !inner->ip_version);
		if (outer->ip_version && inner->n_tunnels == 0)
			check(outer->ip_offset == inner->ip_offset && outer->ip_bytes == inner->ip_bytes);
		if (outer->ip_version && inner->n_tunnels != 0)
			check(outer->ip_offset < inner->ip_offset && outer->ip_bytes > inner->ip_bytes);
		/* The rule that labels and the parser agree wherever both look. */
		if (link == PACKET_LINK_ETHERNET && outer->n_vlan_tags <= 2)
			check(packet_rule_matches(&rule, &frames[i]) == packet_is_ip(outer));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct packet_engine *engine;
	static struct stats_block stats;
	static struct classifier *with_model, *without_model;
	struct verdict verdicts[CLASSIFY_MAX_BURST];
	struct frame frames[CLASSIFY_MAX_BURST];
	enum packet_link link;
	uint32_t n = 0;

	if (!engine) {
		engine = engine_create();
		with_model =
			classifier_create(&(struct classifier_options){.packet_engine = engine, .stats = &stats});
		without_model = classifier_create(&(struct classifier_options){.stats = &stats});
	}
	if (!size)
		return 0;
	link = (enum packet_link)(data[0] % (PACKET_LINK_PPP + 1));
	data++;
	size--;
	while (size && n < CLASSIFY_MAX_BURST) {
		size_t length = data[0];
		uint32_t snapped;
		uint8_t *copy;

		data++;
		size--;
		if (length > size)
			length = size;
		copy = malloc(length ? length : 1);
		check(copy != NULL);
		memcpy(copy, data, length);
		snapped = length && copy[length - 1] % 4 == 1 ? copy[length - 1] / 4u : 0;
		frames[n++] = (struct frame){copy, (uint32_t)length, (uint32_t)length + snapped, 0, 0};
		data += length;
		size -= length;
	}

	check_parser(link, frames, n);
	memset(stats.counters, 0, sizeof(stats.counters));
	classify_burst(without_model, link, frames, n, verdicts);
	if (link == PACKET_LINK_ETHERNET) {
		check(stats_get(&stats, STATS_positive) + stats_get(&stats, STATS_negative) == n);
		classify_burst(with_model, link, frames, n, verdicts);
		check(stats_get(&stats, STATS_positive) + stats_get(&stats, STATS_negative) == 2 * n);
	}
	for (uint32_t i = 0; i < n; i++)
		free((uint8_t *)(uintptr_t)frames[i].data);
	return 0;
}
