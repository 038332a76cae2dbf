/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Curves as SVG. Called by report_html.c.
 */
#include "eval/report_svg.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* Of the drawing and of the plot in it, in units of the drawing. */
#define WIDTH  420.0
#define HEIGHT 310.0
#define LEFT   54.0
#define RIGHT  408.0
#define TOP    14.0
#define BOTTOM 258.0
/* Points of a curve that are nearer than this cannot be told apart. */
#define STEP 0.4
/* The lowest false positive rate of the axis is a power of ten from these. */
#define MIN_DECADE -6
#define MAX_DECADE -3

/* An axis from low to high; low_decade 0: linear from 0 to 1, else logarithmic from that power of ten to 1. */
struct plot {
	FILE *file;
	int low_decade;
};

static double x_of(const struct plot *plot, double x)
{
	double share = plot->low_decade == 0 ? x : x > 0 ? 1 - log10(x) / plot->low_decade : 0;

	return LEFT + fmin(fmax(share, 0), 1) * (RIGHT - LEFT);
}

static double y_of(double y)
{
	return BOTTOM - y * (BOTTOM - TOP);
}

static void line_draw(const struct plot *plot, const char *class_name, double x1, double y1, double x2, double y2)
{
	fprintf(plot->file, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", class_name,
		x1, y1, x2, y2);
}

static void text_draw(const struct plot *plot, double x, double y, const char *anchor, const char *text)
{
	fprintf(plot->file, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, text);
}

/* "1%", "0.01%": a power of ten. */
static void decade_draw(const struct plot *plot, int decade)
{
	double x = x_of(plot, pow(10, decade));
	char text[16];

	snprintf(text, sizeof(text), "%g%%", pow(10, decade + 2));
	line_draw(plot, "grid", x, TOP, x, BOTTOM);
	text_draw(plot, x, BOTTOM + 17, decade == 0 ? "end" : "middle", text);
}

static void axes_draw(const struct plot *plot, const char *x_title, const char *y_title)
{
	char text[16];

	for (int i = 0; i <= 5; i++) {
		snprintf(text, sizeof(text), "%d%%", i * 20);
		line_draw(plot, "grid", LEFT, y_of(i / 5.0), RIGHT, y_of(i / 5.0));
		text_draw(plot, LEFT - 6, y_of(i / 5.0) + 4, "end", text);
		if (plot->low_decade != 0)
			continue;
		line_draw(plot, "grid", x_of(plot, i / 5.0), TOP, x_of(plot, i / 5.0), BOTTOM);
		text_draw(plot, x_of(plot, i / 5.0), BOTTOM + 17, i == 5 ? "end" : "middle", text);
	}
	for (int decade = plot->low_decade; decade <= 0 && plot->low_decade != 0; decade++)
		decade_draw(plot, decade);
	line_draw(plot, "axis", LEFT, BOTTOM, RIGHT, BOTTOM);
	line_draw(plot, "axis", LEFT, TOP, LEFT, BOTTOM);
	text_draw(plot, (LEFT + RIGHT) / 2, HEIGHT - 12, "middle", x_title);
	fprintf(plot->file, "<text transform=\"translate(13 %.1f) rotate(-90)\" text-anchor=\"middle\">%s</text>\n",
		(TOP + BOTTOM) / 2, y_title);
}

static void plot_begin(const struct plot *plot, const char *what)
{
	fprintf(plot->file, "<svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"%s\">\n", WIDTH, HEIGHT, what);
}

static void plot_end(const struct plot *plot)
{
	fputs("</svg>\n", plot->file);
}

/* Draws points that are already where they go. */
static void curve_draw(const struct plot *plot, struct curve_xy *points, uint32_t n)
{
	n = curves_thin(points, n, STEP);
	fputs("<polyline class=\"curve\" points=\"", plot->file);
	for (uint32_t i = 0; i < n; i++)
		fprintf(plot->file, "%s%.1f,%.1f", i > 0 ? " " : "", points[i].x, points[i].y);
	fputs("\"/>\n", plot->file);
}

static void dot_draw(const struct plot *plot, double x, double y)
{
	fprintf(plot->file, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>\n", x, y);
}

/* The curve's points where they go, from the given first one on; NULL when memory is out. */
static struct curve_xy *points_place(const struct plot *plot, const struct curves *curves, struct curve_xy first,
				     struct curve_xy (*point)(const struct curves *, uint32_t))
{
	struct curve_xy *points = malloc(((size_t)curves->n_points + 1) * sizeof(*points));

	if (points == NULL)
		return NULL;
	for (uint32_t i = 0; i <= curves->n_points; i++) {
		struct curve_xy at = i == 0 ? first : point(curves, i - 1);

		points[i] = (struct curve_xy){x_of(plot, at.x), y_of(at.y)};
	}
	return points;
}

/* Rates below one false alarm cannot be measured: the axis begins in the decade of it. */
static int low_decade(uint32_t n_benign)
{
	int decade = (int)floor(-log10(n_benign));

	return decade < MIN_DECADE ? MIN_DECADE : decade > MAX_DECADE ? MAX_DECADE : decade;
}

void report_svg_roc(FILE *file, const struct figures *figures)
{
	struct plot plot = {file, low_decade(figures->n_benign)};
	struct curve_xy *points = points_place(&plot, &figures->curves, (struct curve_xy){0, 0}, curves_roc_xy);
	double one = x_of(&plot, 1.0 / figures->n_benign);

	plot_begin(&plot, "ROC curve");
	fprintf(file, "<rect class=\"unknown\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n", LEFT, TOP,
		one - LEFT, BOTTOM - TOP);
	axes_draw(&plot, "false positive rate", "recall");
	if (points != NULL)
		curve_draw(&plot, points, figures->curves.n_points + 1);
	dot_draw(&plot, x_of(&plot, figures->fpr), y_of(figures->recall));
	plot_end(&plot);
	free(points);
}

void report_svg_precision(FILE *file, const struct figures *figures)
{
	struct plot plot = {file, 0};
	const struct curves *curves = &figures->curves;
	struct curve_xy first = {0, curves_pr_xy(curves, 0).y};
	struct curve_xy *points = points_place(&plot, curves, first, curves_pr_xy);
	double share = (double)figures->n_attack / figures->n_flows;
	double n_alarms = figures->recall * figures->n_attack + figures->fpr * figures->n_benign;

	plot_begin(&plot, "precision-recall curve");
	axes_draw(&plot, "recall", "precision");
	line_draw(&plot, "guide", LEFT, y_of(share), RIGHT, y_of(share));
	if (points != NULL)
		curve_draw(&plot, points, curves->n_points + 1);
	if (n_alarms > 0)
		dot_draw(&plot, x_of(&plot, figures->recall), y_of(figures->recall * figures->n_attack / n_alarms));
	plot_end(&plot);
	free(points);
}

void report_svg_calibration(FILE *file, const struct figures *figures)
{
	const struct calibration *calibration = &figures->calibration;
	struct plot plot = {file, 0};

	plot_begin(&plot, "calibration");
	axes_draw(&plot, "stated probability of an attack", "share of attacks");
	line_draw(&plot, "guide", x_of(&plot, 0), y_of(0), x_of(&plot, 1), y_of(1));
	for (int i = 0; i < CURVES_N_BINS; i++) {
		const struct calibration_bin *bin = &calibration->bins[i];

		if (!(bin->n > 0))
			continue;
		fprintf(file,
			"<circle class=\"bin\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"><title>%.0f</title></circle>\n",
			x_of(&plot, bin->mean_probability), y_of(bin->share_positive),
			3 + 11 * sqrt(bin->n / calibration->n), bin->n);
	}
	plot_end(&plot);
}
