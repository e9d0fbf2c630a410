/* SPDX-License-Identifier: MIT */
#include "keeper/log.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_TEXT_BYTES 400

static const char *level_name(enum log_level level)
{
	switch (level) {
	case LOG_ERROR:	return "error";
	case LOG_WARN:	return "warning";
	case LOG_INFO:	return "info";
	case LOG_DEBUG:	return "debug";
	}
	return "?";
}

/* Others' words may be in it: none that a terminal obeys, no second line. */
static void tame(char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			*text = '?';
}

static void remember(struct log *log, const char *text)
{
	for (unsigned i = 0; i < log->n_tail; i++)
		if (!strncmp(log->tail[i], text, LOG_TAIL_BYTES - 1))
			return;
	if (log->n_tail == LOG_TAIL) {
		memmove(log->tail[0], log->tail[1],
			(LOG_TAIL - 1) * sizeof(log->tail[0]));
		log->n_tail--;
	}
	snprintf(log->tail[log->n_tail++], LOG_TAIL_BYTES, "%s", text);
}

void log_write(struct log *log, enum log_level level, const char *words)
{
	char text[LOG_TEXT_BYTES], line[512], when[32] = "";
	const time_t now = time(NULL);
	struct tm tm;
	int n;

	snprintf(text, sizeof(text), "%s", words);
	tame(text);
	if (level <= LOG_WARN)
		remember(log, text);
	if (log->written > LOG_MAX_BYTES || (level == LOG_DEBUG && !log->debug))
		return;
	if (localtime_r(&now, &tm))
		strftime(when, sizeof(when), "%F %T", &tm);
	n = snprintf(line, sizeof(line), "%s %s %s\n", when,
		     level_name(level), text);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof(line)) {
		n = sizeof(line) - 1;
		line[n - 1] = '\n';
	}
	log->written += (size_t)n;
	(void)!write(log->fd, line, (size_t)n);
}

void log_print(struct log *log, enum log_level level, const char *format,
	       ...)
{
	char text[LOG_TEXT_BYTES];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	log_write(log, level, text);
}
