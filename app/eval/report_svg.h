/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The plots of a flow model's page, as SVG that takes its colours from the page's style. Called by report_html.c.
 */
#ifndef WIRESCORE_EVAL_REPORT_SVG_H
#define WIRESCORE_EVAL_REPORT_SVG_H

#include <stdio.h>

#include "eval/flow_figures.h"

/* Recall over the false positive rate, whose axis is logarithmic: where a detector works, rates are small. */
void report_svg_roc(FILE *file, const struct figures *figures);

/* Precision over recall. */
void report_svg_precision(FILE *file, const struct figures *figures);

/* The share of attacks over the probability that was stated. */
void report_svg_calibration(FILE *file, const struct figures *figures);

#endif
