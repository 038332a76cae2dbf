/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What reading tables of flows came to, for people and as JSON. Called by the commands that read tables.
 */
#ifndef WIRESCORE_TABLE_REPORT_H
#define WIRESCORE_TABLE_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "flow_csv.h"

/* Rows read, used and refused by reason with the first example, and the columns that are no features. */
void table_report_print(FILE *file, const struct flow_csv_report *report);

/* Complains that no row could be used, after all of the above: most often a column holds text. */
void table_report_complain_of_none(const struct flow_csv_report *report);

/* As JSON: {format, rows_read, rows_used, rows_refused, refused[], left_out[], forced[], ..}. NULL: no memory. */
json_t *table_report_json(const struct flow_csv_report *report);

#endif
