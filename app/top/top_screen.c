/* SPDX-License-Identifier: BSD-3-Clause */
#include "top/top_screen.h"

#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static SCREEN *screen;

/* What a style looks like; without colours and bold it is read all the same. */
static chtype look_of(enum top_style style)
{
	switch (style) {
	case TOP_TITLE:
		return A_BOLD;
	case TOP_HEADING:
		return A_REVERSE;
	case TOP_ALARM:
		return A_BOLD | (has_colors() ? COLOR_PAIR(1) : 0);
	default:
		return A_NORMAL;
	}
}

int top_screen_open(char *error, size_t error_size)
{
	const char *name = getenv("TERM");

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		snprintf(error, error_size, "no terminal is here; 'wirescore top --once' prints lines");
		return -1;
	}
	if (name && strcmp(name, "dumb"))
		screen = newterm(NULL, stdout, stdin);
	if (!screen || !tigetstr("cup") || tigetstr("cup") == (char *)(intptr_t)-1) {
		snprintf(error, error_size,
			 "this terminal (TERM=%s) cannot be drawn on; 'wirescore top --once' prints lines",
			 name ? name : "");
		top_screen_close();
		return -1;
	}
	cbreak();
	noecho();
	nonl();
	intrflush(stdscr, FALSE);
	keypad(stdscr, TRUE);
	curs_set(0);
	if (has_colors()) {
		start_color();
		use_default_colors();
		init_pair(1, COLOR_RED, -1);
	}
	return 0;
}

void top_screen_close(void)
{
	if (!screen)
		return;
	endwin();
	delscreen(screen);
	screen = NULL;
}

void top_screen_size(uint32_t *n_columns, uint32_t *n_lines)
{
	*n_columns = (uint32_t)COLS;
	*n_lines = (uint32_t)LINES;
}

void top_screen_draw(const struct top_page *page, const char *below)
{
	erase();
	for (uint32_t i = 0; i < page->n_lines && (int)i < LINES - 1; i++) {
		const struct top_line *line = &page->lines[i];

		attrset((attr_t)look_of(line->style));
		mvaddnstr((int)i, 0, line->text, COLS);
		/* A heading goes to the edge. */
		for (int at = (int)strlen(line->text); line->style == TOP_HEADING && at < COLS; at++)
			addch(' ');
	}
	attrset(A_NORMAL);
	/* Not into the last place: some terminals would scroll. */
	mvaddnstr(LINES - 1, 0, below, COLS - 1);
	refresh();
}

int top_screen_key(int ms)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	int key;

	timeout(ms);
	key = getch();
	if (key == KEY_RESIZE)
		return TOP_KEY_RESIZED;
	if (key != ERR)
		return key;
	/* A terminal that is gone would be asked for ever. */
	if (poll(&input, 1, 0) > 0 && input.revents & (POLLHUP | POLLERR | POLLNVAL))
		return TOP_KEY_HANGUP;
	return TOP_KEY_NONE;
}
