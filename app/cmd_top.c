/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore top`: shows what a live run does, in a terminal or once as lines, by its telemetry socket. Called by main.c.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "interrupt.h"
#include "top/top_link.h"
#include "top/top_page.h"
#include "top/top_rates.h"
#if HAVE_NCURSES
#include "top/top_screen.h"
#endif

static const char top_help[] =
	"Usage: wirescore top [OPTION]...\n"
	"Shows what 'wirescore run' does: packets and bits a second, classes, what is dropped and why, times to a verdict,\n"
	"workers, ports, sinks and the largest flows. Asks the run at its telemetry socket, which is for its user and root.\n"
	"\n"
	"  -s, --socket PATH        the socket, as the run prints it; default: the newest run's that is found in\n"
	"                           $RUNTIME_DIRECTORY or, where that is not set, in /var/run,\n"
	"                           $XDG_RUNTIME_DIR and /tmp, and belongs to root or to you\n"
	"  --file-prefix NAME       of these only runs with this [eal] file-prefix\n"
	"  -d, --delay SECONDS      time between two looks, 0.1 to 3600 (default: 1)\n"
	"  -n, --flows N            flows to list, 1 to 100 (default: 20)\n"
	"  --by ORDER               list the flows with the most packets, the most bytes, or the highest score\n"
	"                           (default: packets)\n"
	"  --once                   look twice, print lines and end: for scripts\n"
	"  --json                   with --once: print one JSON object\n"
	"  -h, --help               print this\n"
	"\n"
	"Keys: p, b, s list flows by packets, bytes or score; space stops and goes on; ? helps; q ends.\n"
	"Exit status: 0; 1 where there is no run or no terminal; 2 for bad usage; 130 where a signal ends --once.\n";

struct top_options {
	const char *socket, *file_prefix;
	const char *order;
	double delay_s;
	uint32_t n_flows;
	bool is_once, is_json;
};

/* What is shown. */
struct top_state {
	const struct top_options *options;
	struct top_link link;
	struct top_sample before, now;
	json_t *rates;
	const char *order;
	bool is_linked, is_stopped, shows_help;
	char news[512];
	struct top_page page;
};

static int top_parse(int argc, char **argv, struct top_options *options)
{
	enum { OPT_ONCE = 256, OPT_JSON, OPT_PREFIX, OPT_BY };
	static const struct option known[] = {
		{"socket", required_argument, NULL, 's'},
		{"file-prefix", required_argument, NULL, OPT_PREFIX},
		{"delay", required_argument, NULL, 'd'},
		{"flows", required_argument, NULL, 'n'},
		{"by", required_argument, NULL, OPT_BY},
		{"once", no_argument, NULL, OPT_ONCE},
		{"json", no_argument, NULL, OPT_JSON},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	uint64_t n_flows = options->n_flows;
	int option;

	while ((option = getopt_long(argc, argv, "s:d:n:h", known, NULL)) != -1) {
		switch (option) {
		case 's':
			options->socket = optarg;
			break;
		case OPT_PREFIX:
			options->file_prefix = optarg;
			break;
		case 'd':
			if (parse_double("--delay", optarg, 0.1, 3600, &options->delay_s))
				return EXIT_USAGE + 1;
			break;
		case 'n':
			if (parse_u64("--flows", optarg, 1, 100, &n_flows))
				return EXIT_USAGE + 1;
			options->n_flows = (uint32_t)n_flows;
			break;
		case OPT_BY:
			if (strcmp(optarg, "packets") && strcmp(optarg, "bytes") && strcmp(optarg, "score"))
				return usage_error("top", "--by %s: packets, bytes and score are possible",
						   optarg) +
				       1;
			options->order = optarg;
			break;
		case OPT_ONCE:
			options->is_once = true;
			break;
		case OPT_JSON:
			options->is_json = true;
			break;
		case 'h':
			fputs(top_help, stdout);
			return finish_stdout() + 1;
		default:
			fputs("Try 'wirescore top --help'.\n", stderr);
			return EXIT_USAGE + 1;
		}
	}
	if (optind < argc)
		return usage_error("top", "%s: no argument is expected", argv[optind]) + 1;
	if (options->is_json && !options->is_once)
		return usage_error("top", "--json is for --once") + 1;
	return 0;
}

/* Looks at the run. 0, or -1 where it is gone. */
static int top_look(struct top_state *state)
{
	struct top_sample sample;

	if (top_sample_take(&sample, &state->link, state->order, state->options->n_flows))
		return -1;
	top_sample_free(&state->before);
	state->before = state->now;
	state->now = sample;
	json_decref(state->rates);
	state->rates = top_rates(&state->before, &state->now);
	return 0;
}

static int top_open(struct top_state *state)
{
	return top_link_open(&state->link, state->options->socket, state->options->file_prefix, state->news,
			     sizeof(state->news));
}

static void top_free(struct top_state *state)
{
	top_sample_free(&state->before);
	top_sample_free(&state->now);
	json_decref(state->rates);
	top_link_close(&state->link);
	free(state);
}

/* One line that tells which run it is. */
static void top_state_text(const struct top_state *state, char *text, size_t size)
{
	double seconds = top_number(state->now.stats, "seconds");
	unsigned int s = seconds > 0 && seconds < 1e9 ? (unsigned int)seconds : 0;

	if (!state->is_linked)
		snprintf(text, size, "%s", state->news);
	else
		snprintf(text, size, "%sruns for %u:%02u:%02u  pid %d  %.0f reloads  %s",
			 state->is_stopped ? "STOPPED  " : "", s / 3600, s / 60 % 60, s % 60, state->link.pid,
			 top_number(state->now.stats, "reloads"), state->link.path);
}

static void print_page(const struct top_page *page)
{
	for (uint32_t i = 0; i < page->n_lines; i++)
		puts(page->lines[i].text);
}

/* An exit code. */
static int print_json(const struct top_state *state)
{
	json_t *object = json_pack("{s:s, s:i, s:O, s:O, s:O, s:O}", "socket", state->link.path, "pid",
				   state->link.pid, "rates", state->rates, "stats", state->now.stats, "model",
				   state->now.model, "flows", state->now.flows);

	if (!object) {
		complain("top: %s: not all that is asked for is answered; is it a run of this version?",
			 state->link.path);
		return EXIT_FAILED;
	}
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
	return finish_stdout();
}

static void wait_s(double seconds)
{
	struct timespec rest = {.tv_sec = (time_t)seconds,
				.tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};

	while (!atomic_load(&interrupted) && nanosleep(&rest, &rest) && errno == EINTR)
		;
}

/* An exit code. */
static int top_once(struct top_state *state)
{
	char text[512];
	int rc;

	interrupt_catch();
	rc = top_open(state);
	if (!rc) {
		rc = top_look(state);
		wait_s(state->options->delay_s);
		if (!rc && !atomic_load(&interrupted))
			rc = top_look(state);
		if (rc)
			snprintf(state->news, sizeof(state->news), "%s: the run has ended, or does not answer",
				 state->link.path);
	}
	if (atomic_load(&interrupted))
		return EXIT_INTERRUPTED;
	if (rc || !state->rates) {
		complain("top: %s", rc ? state->news : "out of memory");
		return EXIT_FAILED;
	}
	state->is_linked = true;
	top_state_text(state, text, sizeof(text));
	top_page_fill(&state->page, TOP_MAX_COLUMNS, &state->now, state->rates, text);
	if (state->options->is_json)
		return print_json(state);
	print_page(&state->page);
	return finish_stdout();
}

#if HAVE_NCURSES
static const char top_keys[] = "q ends  p b s flows by packets bytes score  space stops  ? helps";

static void top_handle_signal(int signal_number)
{
	(void)signal_number;
	atomic_store(&interrupted, true);
}

/* Whatever ends it leaves the terminal as it was, a second signal too. */
static void top_catch(void)
{
	struct sigaction action = {.sa_handler = top_handle_signal};
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Looks once more, at a new run where there is one. */
static void top_refresh(struct top_state *state)
{
	if (!state->is_linked) {
		if (top_open(state))
			return;
		/* Numbers of another run are no beginning for rates. */
		top_sample_free(&state->before);
		top_sample_free(&state->now);
		state->is_linked = true;
	}
	if (!top_look(state))
		return;
	snprintf(state->news, sizeof(state->news),
		 "the run (pid %d) has ended or does not answer; looks for the next", state->link.pid);
	top_link_close(&state->link);
	state->is_linked = false;
}

static void top_fill_help(struct top_page *page)
{
	static const char *const lines[] = {
		"wirescore top",
		"",
		"p b s   list flows by packets, bytes, score",
		"space   stop, and go on",
		"? h     this page",
		"q       end",
		"",
		"Rates are of the time since the last look; 'so far' is since the run began.",
		"dropped packets and records by cause; 'not scored' for want of time,",
		"        'not parsed' where headers are cut or wrong: those go on",
		"latency half, 99% and 99.9% of the packets took no longer than this",
		"cycles  of a packet, by stage",
		"workers share of time spent on packets, and packets",
	};

	page->n_lines = 0;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct top_line *line = &page->lines[page->n_lines++];

		snprintf(line->text, sizeof(line->text), "%s", lines[i]);
		line->style = i ? TOP_PLAIN : TOP_TITLE;
	}
}

static void top_draw(struct top_state *state)
{
	uint32_t n_columns, n_lines;
	char text[sizeof(state->news)];

	top_screen_size(&n_columns, &n_lines);
	top_state_text(state, text, sizeof(text));
	if (state->shows_help)
		top_fill_help(&state->page);
	else
		top_page_fill(&state->page, n_columns, &state->now, state->rates, text);
	top_screen_draw(&state->page, top_keys);
}

/* Whether to go on; must_look where what is shown has to be asked for. */
static bool top_heed_key(struct top_state *state, int key, bool *must_look)
{
	switch (key) {
	case 'q':
	case 'Q':
	case TOP_KEY_HANGUP:
		return false;
	case ' ':
		state->is_stopped = !state->is_stopped;
		break;
	case '?':
	case 'h':
		state->shows_help = !state->shows_help;
		break;
	case 'p':
	case 'b':
	case 's':
		state->order = key == 'p' ? "packets" : key == 'b' ? "bytes" : "score";
		*must_look = !state->is_stopped;
		break;
	default:
		break;
	}
	return true;
}

static void top_loop(struct top_state *state)
{
	double due_s = now_s();
	bool goes_on = true;

	while (goes_on && !atomic_load(&interrupted)) {
		double wait_ms = (due_s - now_s()) * 1e3;
		bool must_look = wait_ms <= 0 && !state->is_stopped;
		int key;

		if (must_look) {
			top_refresh(state);
			due_s = now_s() + state->options->delay_s;
			wait_ms = state->options->delay_s * 1e3;
		}
		top_draw(state);
		must_look = false;
		/* Short enough that a run that comes back and a terminal that goes are noticed. */
		key = top_screen_key(wait_ms > 500 || wait_ms <= 0 ? 500 : (int)wait_ms + 1);
		goes_on = top_heed_key(state, key, &must_look);
		if (must_look)
			due_s = now_s();
	}
}

/* An exit code. */
static int top_watch(struct top_state *state)
{
	char error[256];

	top_catch();
	if (top_screen_open(error, sizeof(error))) {
		complain("top: %s", error);
		return EXIT_FAILED;
	}
	/* A run that is not there is told of on the terminal as it was. */
	if (top_open(state)) {
		top_screen_close();
		complain("top: %s", state->news);
		return EXIT_FAILED;
	}
	state->is_linked = true;
	top_loop(state);
	top_screen_close();
	return EXIT_OK;
}
#else
static int top_watch(struct top_state *state)
{
	(void)state;
	complain(
		"top: this build has no terminal (libncurses-dev was missing); 'wirescore top --once' prints lines");
	return EXIT_FAILED;
}
#endif

int cmd_top(int argc, char **argv)
{
	struct top_options options = {.order = "packets", .delay_s = 1, .n_flows = 20};
	struct top_state *state;
	int rc = top_parse(argc, argv, &options);

	if (rc)
		return rc - 1;
	state = calloc(1, sizeof(*state));
	if (!state) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	state->options = &options;
	state->order = options.order;
	state->link.fd = -1;
	rc = options.is_once ? top_once(state) : top_watch(state);
	top_free(state);
	return rc;
}
