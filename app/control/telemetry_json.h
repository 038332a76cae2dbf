/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * JSON objects as answers at DPDK's telemetry socket, within what DPDK 22.11 can carry: names of letters, digits and _,
 * ASCII strings of 127 characters, whole numbers, 256 entries of an object, 16 KB in all. Called by telemetry's threads.
 */
#ifndef WIRESCORE_CONTROL_TELEMETRY_JSON_H
#define WIRESCORE_CONTROL_TELEMETRY_JSON_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <rte_telemetry.h>

/* Of an answer as compact JSON; the rest of 16 KB is for quotes of numbers, and DPDK's. */
#define TELEMETRY_JSON_BYTES 15200

/* Text as an answer may have it: what is no printable ASCII is '?', what is too long ends in "...". */
void telemetry_json_text(char text[RTE_TEL_MAX_STRING_LEN], const char *from);

/*
 * Takes the last elements of an array or object out of object, its member of that name or, where name is NULL, object
 * itself, until the whole fits into an answer. Returns how many are left out.
 */
uint32_t telemetry_json_fit(json_t *object, const char *name);

/*
 * Makes an object the answer: numbers with a fraction are strings, true is 1, null is left out, an array of objects is
 * an object with the names 1, 2 .. 0 or -ENOMEM.
 */
int telemetry_json_answer(struct rte_tel_data *answer, const json_t *object);

#endif
