/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The classifier: one burst of frames in, one verdict a frame out. Called by a worker for every burst, and by
 * `wirescore eval` on the same terms.
 */
#ifndef WIRESCORE_CLASSIFY_H
#define WIRESCORE_CLASSIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow_engine.h"
#include "frame.h"
#include "input_counts.h"
#include "model.h"
#include "nn.h"
#include "packet.h"
#include "stats.h"

#define CLASSIFY_MAX_BURST NN_MAX_BATCH
_Static_assert(CLASSIFY_MAX_BURST <= FLOW_MAX_BURST, "both engines take a whole burst");

/*
 * What the packet engine decides with: the model packed for a kernel. Immutable, so that all workers share
 * one; it must outlive the classifiers made for it.
 */
struct packet_engine {
	const struct nn_kernel *kernel;
	struct nn_plan *plan;
	uint32_t n_inputs; /* header bytes */
	uint32_t n_outputs;
	float threshold; /* on logits, so that a saturated score decides nothing */
};

/*
 * Makes a packet engine of a model. 0, or a negative errno with one line in error where the model cannot
 * score packets (made for flows, wrong inputs, too many classes, features of another version). One output is
 * the log-odds of the last class, behind a sigmoid or not; of two, behind a softmax or not, it is their
 * difference. The model stays the caller's and is not needed afterwards.
 */
int packet_engine_create(const struct model *model, const struct nn_kernel *kernel, struct packet_engine **engine,
			 char *error, size_t error_size);
void packet_engine_free(struct packet_engine *engine);

enum verdict_class {
	VERDICT_NEGATIVE,
	VERDICT_POSITIVE,
	VERDICT_NONE, /* dropped: the model's sums overflowed */
};

struct verdict {
	/* Log-odds of the positive class; -INFINITY for a frame that ends inside a type; NAN where none is. */
	float logit;
	uint16_t ethertype; /* as struct packet has it */
	uint8_t class;	    /* enum verdict_class */
};

/*
 * One thread's classifier; stats is borrowed, the thread its writer. With packet_engine NULL the parser alone
 * decides: IPv4 or IPv6, behind up to PACKET_MAX_VLAN_TAGS tags. With flow_engine NULL packets have no flows;
 * else it is borrowed, as the classifier's own from now on, and depth says which IP header's.
 */
struct classifier;
struct classifier_options {
	const struct packet_engine *packet_engine;
	struct flow_engine *flow_engine;
	enum packet_depth depth; /* with a flow_engine: PACKET_DEPTH_OUTER or _INNER */
	struct stats_block *stats;
};

/* NULL when memory is out. */
struct classifier *classifier_create(const struct classifier_options *options);
void classifier_free(struct classifier *classifier);

/*
 * Judges n frames, n <= CLASSIFY_MAX_BURST, that all begin with link, and counts them in the block and to the flows
 * that the classifier was made with; flow_engine_records has the flows that ended meanwhile. Packet models read
 * Ethernet headers: frames of other links are judged by the parser. verdicts is [n].
 */
void classify_burst(struct classifier *classifier, enum packet_link link, const struct frame *frames, uint32_t n,
		    struct verdict *verdicts);

/* What the parser found in the last burst: [n], valid until the next. */
const struct packet *classify_packets(const struct classifier *classifier);

/*
 * Models with the memory that one thread needs to ask them, to take the place of those that a classifier has. Made
 * by any thread; what they are made of is borrowed. NULL stands for no such model, which the flow model's place can
 * only be given where it was so before; see flow_engine_accepts.
 */
struct classifier_models;
struct classifier_models *classifier_models_create(const struct packet_engine *packet_engine,
						   const struct flow_model *flow_model);
void classifier_models_free(struct classifier_models *models);

/*
 * Has rows that packet and flow model are asked with counted by bins of their inputs, borrowed; NULL: not counted. Called
 * before models are set. 0 or -ENOMEM.
 */
int classifier_models_count(struct classifier_models *models, const struct input_bins *packet_bins,
			    const struct input_bins *flow_bins);

/* What is counted, for any thread as long as the models are there; NULL: nothing is. */
const struct input_counts *classifier_models_packet_counts(const struct classifier_models *models);
const struct input_counts *classifier_models_flow_counts(const struct classifier_models *models);

/* From the next burst on asks these; they are borrowed. Called by the classifier's thread. */
void classifier_set_models(struct classifier *classifier, const struct classifier_models *models);

/*
 * Whether models are spared from now on, for want of time: packets are judged by the parser, flows keep the verdicts
 * that they have. All are counted as ever, and in STATS_shed_packets and STATS_shed_flows.
 */
void classifier_set_shedding(struct classifier *classifier, bool is_shedding);

/* The probability of the positive class that a verdict's logit stands for; NAN stays NAN. */
float verdict_score(const struct verdict *verdict);

#endif
