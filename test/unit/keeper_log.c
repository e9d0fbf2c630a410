/* SPDX-License-Identifier: MIT */
/* test/unit/keeper_log.c - what is written, and what of it is remembered. */
#include "keeper/log.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "test.h"

/* A terminal that obeys, a second line: with others' words neither is had. */
static void check_tame(void)
{
	static const char evil[] = "\033[2J\033]0;x\a a\nb\r\t\177 \303\251";
	static const char tame[] = "?[2J?]0;x? a?b??? \303\251";
	struct log log = { .fd = -1 };
	char line[200] = "";
	int fds[2];
	ssize_t n;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return;
	log.fd = fds[1];
	log_write(&log, LOG_WARN, evil);
	n = read(fds[0], line, sizeof(line) - 1);
	CHECK("written", n > 0 && strstr(line, tame));
	CHECK("one line", n > 0 && strchr(line, '\n') == line + n - 1);
	CHECK("remembered", log.n_tail == 1 && !strcmp(log.tail[0], tame));
	log_print(&log, LOG_ERROR, "%s", evil);
	CHECK("once", log.n_tail == 1);
	close(fds[0]);
	close(fds[1]);
}

/* Whatever its length. */
static void check_long(void)
{
	struct log log = { .fd = -1 };
	char text[3000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_write(&log, LOG_WARN, text);
	CHECK("cut", strlen(log.tail[0]) == LOG_TAIL_BYTES - 1);
}

void test_keeper_log(void);
void test_keeper_log(void)
{
	check_tame();
	check_long();
}
