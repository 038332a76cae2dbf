/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fields of tables as numbers and times. Called by flow_csv.c for every field: whole numbers and short decimals are
 * read without strtod, with the same result.
 */
#ifndef WIRESCORE_DATASET_FLOW_VALUE_H
#define WIRESCORE_DATASET_FLOW_VALUE_H

#include <stdbool.h>

enum flow_value_fault {
	FLOW_VALUE_FINE,
	FLOW_VALUE_MISSING, /* nothing but blanks */
	FLOW_VALUE_TEXT,
	FLOW_VALUE_NAN,
	FLOW_VALUE_INFINITE, /* or beyond a float */
	FLOW_VALUE_ADDRESS,  /* a MAC or an IP address: a float cannot hold all its bits */
};

/* Reads a decimal number, with blanks around it or not. */
enum flow_value_fault flow_value_number(const char *text, double *value);

/* The same, and a date as seconds since the epoch; told from other text is an address. */
enum flow_value_fault flow_value_forced(const char *text, double *value);

/*
 * Reads a time as seconds since the epoch: seconds, milli-, micro- or nanoseconds, told apart by their size, or
 * YYYY-MM-DD hh:mm:ss[.s] (also with / and T), taken as UTC. is_short: microseconds that have lost the zeros at
 * their end. False where it is none.
 */
bool flow_value_time(const char *text, bool is_short, double *seconds);

#endif
