/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_lines.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_cfgfile.h>

/* More than all that there may be; rte_cfgfile takes 5 KB for each. */
#define MAX_SECTIONS 256

struct config_lines {
	struct config_problems *problems;
	char *text; /* of the file, ends in NUL */
	size_t n_bytes;
	FILE *clean;	   /* what rte_cfgfile is given */
	uint32_t *numbers; /* of lines in clean, in order */
	uint32_t n_numbers;
	char section[CFG_NAME_LEN]; /* of the lines to come; "": none that is right */
	uint32_t n_sections;
	bool has_section; /* there was a heading */
};

static void __attribute__((format(printf, 4, 5)))
config_lines_tell(struct config_lines *lines, uint32_t line, const char *key, const char *format, ...)
{
	struct config_where where = {lines->section[0] ? lines->section : NULL, key, line, false};
	char text[512];
	va_list values;

	va_start(values, format);
	vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	config_problems_add(lines->problems, &where, "%s", text);
}

/* Reads the file into lines->text. 0, or -ENOMEM; text stays NULL after a mistake. */
static int config_lines_load(struct config_lines *lines, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = malloc(CONFIG_MAX_BYTES + 1);
	ssize_t n_read = -1;
	size_t n = 0;

	while (fd >= 0 && text && n <= CONFIG_MAX_BYTES &&
	       (n_read = read(fd, text + n, CONFIG_MAX_BYTES + 1 - n)) > 0)
		n += (size_t)n_read;
	if (!text) {
		if (fd >= 0)
			close(fd);
		return -ENOMEM;
	}
	if (fd < 0 || n_read < 0) {
		config_lines_tell(lines, 0, NULL, "cannot be read: %s", strerror(errno));
	} else if (n > CONFIG_MAX_BYTES) {
		config_lines_tell(lines, 0, NULL, "is larger than %u KiB: is it a config file?",
				  CONFIG_MAX_BYTES >> 10);
	} else {
		text[n] = '\0';
		lines->text = text;
	}
	if (!lines->text)
		free(text);
	lines->n_bytes = n;
	if (fd >= 0)
		close(fd);
	return 0;
}

/* Cuts blanks from both ends; returns where the text begins. */
static char *trim(char *text)
{
	size_t n;

	while (*text == ' ' || *text == '\t')
		text++;
	n = strlen(text);
	while (n && (text[n - 1] == ' ' || text[n - 1] == '\t' || text[n - 1] == '\r'))
		text[--n] = '\0';
	return text;
}

/* Makes each run of blanks one, so that "[port  lan]" is "[port lan]". */
static void squeeze(char *text)
{
	char *to = text;

	for (; *text; text++)
		if (!isblank((unsigned char)*text))
			*to++ = *text;
		else if (to[-1] != ' ')
			*to++ = ' ';
	*to = '\0';
}

/* Gives a line to rte_cfgfile, and remembers its number. 0 or -ENOMEM. */
static int config_lines_keep(struct config_lines *lines, uint32_t line, const char *left, const char *middle,
			     const char *right)
{
	fprintf(lines->clean, "%s%s%s\n", left, middle, right);
	lines->numbers[lines->n_numbers++] = line;
	return ferror(lines->clean) ? -ENOMEM : 0;
}

/* A line that begins with a bracket. */
static int config_lines_take_heading(struct config_lines *lines, uint32_t line, char *text)
{
	char *end = strchr(text, ']'), *name;

	lines->section[0] = '\0';
	lines->has_section = true;
	if (!end || end[1]) {
		config_lines_tell(lines, line, NULL,
				  "'%.80s' is no heading; write [SECTION] or [SECTION NAME], alone on its line",
				  text);
		return 0;
	}
	*end = '\0';
	name = trim(text + 1);
	if (!*name || strlen(name) >= CFG_NAME_LEN) {
		config_lines_tell(lines, line, NULL, "[%.80s] has %s; write [SECTION] or [SECTION NAME]", name,
				  *name ? "more than 63 characters" : "no name");
		return 0;
	}
	if (++lines->n_sections > MAX_SECTIONS) {
		config_lines_tell(lines, line, NULL, "is section %u; there may be %d, so this one is not looked at",
				  lines->n_sections, MAX_SECTIONS);
		return 0;
	}
	squeeze(name);
	strcpy(lines->section, name);
	return config_lines_keep(lines, line, "[", name, "]");
}

/* What is wrong with a setting, as far as one line tells; NULL: nothing. */
static const char *config_lines_fault(const char *key, const char *value)
{
	if (!*key)
		return "there is no key before the '='; write KEY = VALUE";
	if (strlen(key) >= CFG_NAME_LEN)
		return "is longer than 63 characters; no key is";
	if (!*value)
		return "has no value; leave the line out for the default";
	if (strlen(value) >= CFG_VALUE_LEN)
		return "has a value of more than 255 bytes; shorten it";
	if (strchr(value, '\\'))
		return "has a backslash, which stands for nothing here; leave it out";
	return NULL;
}

static int config_lines_take_setting(struct config_lines *lines, uint32_t line, char *text)
{
	char *equals = strchr(text, '='), *key, *value;
	const char *fault;

	if (!equals) {
		config_lines_tell(lines, line, NULL, "'%.80s' has no '='; write KEY = VALUE, or # before a comment",
				  text);
		return 0;
	}
	*equals = '\0';
	key = trim(text);
	value = trim(equals + 1);
	fault = config_lines_fault(key, value);
	if (fault) {
		if (strlen(key) >= CFG_NAME_LEN)
			strcpy(key + 60, "...");
		config_lines_tell(lines, line, *key ? key : NULL, "%s", fault);
		return 0;
	}
	if (!lines->has_section)
		config_lines_tell(lines, line, key, "is before the first section; write [SECTION] above it");
	/* Below a heading that is wrong nobody knows what it belongs to. */
	if (!lines->section[0])
		return 0;
	return config_lines_keep(lines, line, key, "=", value);
}

/* A line without its end. 0 or -ENOMEM. */
static int config_lines_take(struct config_lines *lines, uint32_t line, char *text, size_t n)
{
	char *comment;

	for (size_t i = 0; i < n; i++) {
		unsigned char byte = (unsigned char)text[i];

		if ((byte < ' ' && byte != '\t' && (byte != '\r' || i + 1 < n)) || byte == 0x7f) {
			config_lines_tell(lines, line, NULL, "byte %zu is 0x%02x, which is not text; delete it",
					  i + 1, byte);
			return 0;
		}
	}
	comment = strchr(text, '#');
	if (comment && comment > text && !isblank((unsigned char)comment[-1])) {
		config_lines_tell(lines, line, NULL,
				  "has a '#' inside a word; values have none: put a blank before it "
				  "where a comment begins");
		return 0;
	}
	if (comment)
		*comment = '\0';
	text = trim(text);
	if (!*text)
		return 0;
	if (*text == ';') {
		config_lines_tell(lines, line, NULL, "begins with ';'; comments begin with #");
		return 0;
	}
	return *text == '[' ? config_lines_take_heading(lines, line, text)
			    : config_lines_take_setting(lines, line, text);
}

/* Looks at every line and writes what is right to lines->clean. 0 or -ENOMEM. */
static int config_lines_clean(struct config_lines *lines)
{
	char *at = lines->text, *end = lines->text + lines->n_bytes;
	uint32_t line = 1;
	int rc = 0;

	if (!strncmp(at, "\xef\xbb\xbf", 3)) /* some editors begin files so */
		at += 3;
	for (; !rc && at < end; line++) {
		char *next = memchr(at, '\n', (size_t)(end - at));

		if (!next)
			next = end;
		*next = '\0';
		rc = config_lines_take(lines, line, at, (size_t)(next - at));
		at = next + 1;
	}
	return fflush(lines->clean) ? -ENOMEM : rc;
}

/* Hands a section of rte_cfgfile over; *number is the place of its heading in lines->numbers. */
static int config_lines_give_section(struct config_lines *lines, struct rte_cfgfile *file, int section,
				     config_lines_sink *sink, void *context, uint32_t *number)
{
	char name[CFG_NAME_LEN];
	int n = rte_cfgfile_section_num_entries_by_index(file, name, section), rc;
	struct rte_cfgfile_entry *entries = calloc((size_t)n + 1, sizeof(*entries));

	if (!entries)
		return -ENOMEM;
	rte_cfgfile_section_entries_by_index(file, section, name, entries, n);
	rc = sink(context, name, NULL, NULL, lines->numbers[(*number)++]);
	for (int i = 0; !rc && i < n; i++)
		rc = sink(context, name, entries[i].name, entries[i].value, lines->numbers[(*number)++]);
	free(entries);
	return rc;
}

/* Reads what was found right with rte_cfgfile and hands it over. */
static int config_lines_give(struct config_lines *lines, int fd, config_lines_sink *sink, void *context)
{
	const struct rte_cfgfile_parameters parameters = {.comment_character = '#'};
	struct rte_cfgfile *file;
	uint32_t n = 0, number = 0;
	int n_sections, rc = 0;
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	file = rte_cfgfile_load_with_params(path, 0, &parameters);
	if (!file)
		return -ENOMEM;
	n_sections = rte_cfgfile_num_sections(file, NULL, 0);
	for (int i = 0; i < n_sections; i++) {
		char name[CFG_NAME_LEN];

		n += 1 + (uint32_t)rte_cfgfile_section_num_entries_by_index(file, name, i);
	}
	/* Were one line taken for another, all behind it would be told of wrongly. */
	if (n != lines->n_numbers)
		config_lines_tell(lines, 0, NULL, "DPDK's rte_cfgfile read %u of %u lines; write it plainer", n,
				  lines->n_numbers);
	else
		for (int i = 0; !rc && i < n_sections; i++)
			rc = config_lines_give_section(lines, file, i, sink, context, &number);
	rte_cfgfile_close(file);
	return rc;
}

int config_lines_read(const char *path, config_lines_sink *sink, void *context, struct config_problems *problems)
{
	struct config_lines lines = {.problems = problems};
	int rc = config_lines_load(&lines, path);
	int fd = memfd_create("config", MFD_CLOEXEC);

	if (fd >= 0)
		lines.clean = fdopen(fd, "w");
	if (!rc && lines.text) {
		/* No file has more lines than bytes, and the last may lack its end. */
		lines.numbers = calloc(lines.n_bytes + 1, sizeof(*lines.numbers));
		rc = lines.numbers && lines.clean ? config_lines_clean(&lines) : -ENOMEM;
		lines.section[0] = '\0';
		if (!rc)
			rc = config_lines_give(&lines, fd, sink, context);
	}
	if (lines.clean)
		fclose(lines.clean);
	else if (fd >= 0)
		close(fd);
	free(lines.numbers);
	free(lines.text);
	return rc;
}
