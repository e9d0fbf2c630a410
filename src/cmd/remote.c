/* SPDX-License-Identifier: MIT */
#include "cmd/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "guest/gateway.h"

#define CHUNK_BYTES	16384	/* of our input, in a message */
#define WORDS_BYTES	65000	/* all words, and the NUL of each */

struct remote {
	struct gateway_reader from;
	int signals;
	bool tty;
	bool raw;			/* `was` is to be given back */
	bool in;			/* our input goes on */
	struct termios was;
};

static uint32_t size_now(void)
{
	struct winsize ws = { 0 };

	(void)!ioctl(0, TIOCGWINSZ, &ws);
	return (uint32_t)ws.ws_row << 16 | ws.ws_col;
}

/* The command's words, in a row. 0, or -1 with fail set. */
static int pack(char *const *argv, char buf[WORDS_BYTES], size_t *len,
		struct fail *fail)
{
	*len = 0;
	for (; *argv; argv++) {
		const size_t n = strlen(*argv) + 1;

		if (n > WORDS_BYTES - *len)
			return fail_set(fail, "the command is longer than %d "
					"bytes; put it into a file there",
					WORDS_BYTES);
		memcpy(buf + *len, *argv, n);
		*len += n;
	}
	return 0;
}

static int send_command(const struct remote *r, char *const *argv,
			struct fail *fail)
{
	static char buf[WORDS_BYTES];
	const char *term = getenv("TERM");
	struct agent_message m = {
		.kind = AGENT_COMMAND,
		.flags = r->tty ? AGENT_TTY : 0,
		.value = r->tty ? size_now() : 0,
		.text.p = (const uint8_t *)buf,
	};

	if (pack(argv, buf, &m.text.len, fail) < 0)
		return -1;
	if (r->tty && term)
		m.more = (struct view){ .p = (const uint8_t *)term,
					.len = strnlen(term, 63) };
	if (gateway_say(r->from.fd, &m))
		return 0;
	return fail_set(fail, "the agent in the virtual machine has gone; try "
			"again");
}

static void make_raw(struct remote *r)
{
	struct termios now;

	if (!r->tty || tcgetattr(0, &r->was) < 0)
		return;
	now = r->was;
	cfmakeraw(&now);
	r->raw = tcsetattr(0, TCSAFLUSH, &now) == 0;
}

static int watch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* false: the stream is broken; its end is to be read. */
static bool send_input(struct remote *r)
{
	uint8_t buf[CHUNK_BYTES];
	const ssize_t n = read(0, buf, sizeof(buf));
	const struct agent_message m = {
		.kind = AGENT_DATA,
		.text = { .p = buf, .len = n > 0 ? (size_t)n : 0 },
	};

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	r->in = n > 0;
	return gateway_say(r->from.fd, &m);
}

static void print(int fd, struct view text)
{
	while (text.len) {
		const ssize_t n = write(fd, text.p, text.len);
		struct pollfd p = { .fd = fd, .events = POLLOUT };

		if (n < 0 && errno == EAGAIN)
			(void)!poll(&p, 1, -1);
		else if (n < 0 && errno != EINTR)
			return;		/* nobody reads it: as in a pipe */
		text.p += n > 0 ? n : 0;
		text.len -= n > 0 ? (size_t)n : 0;
	}
}

/* What the agent says, until there is no more now. The status, or -1. */
static int hear(struct remote *r, struct fail *fail)
{
	struct agent_message m;

	for (;;) {
		switch (gateway_hear(&r->from, &m)) {
		case GATEWAY_PART:
			return -1;
		case GATEWAY_END:
			fail_set(fail, "the agent in the virtual machine has "
				 "gone, and the command with it; see "
				 "slipway-guest there");
			return EXIT_OWN;
		case GATEWAY_WHOLE:
			break;
		}
		if (m.kind == AGENT_DATA)
			print(m.value == 2 ? 2 : 1, m.text);
		if (m.kind != AGENT_ENDED)
			continue;
		if (m.text.len)
			fail_set(fail, "the command cannot be started: %.*s; "
				 "try again", (int)m.text.len,
				 (const char *)m.text.p);
		return m.value < 256 ? (int)m.value : EXIT_OWN;
	}
}

/* A signal of ours: its number if we are to end by it, else 0. */
static int signal_event(const struct remote *r)
{
	struct agent_message m = { .kind = AGENT_SIZE };
	struct signalfd_siginfo si;
	bool resized = false;

	while (read(r->signals, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo != SIGWINCH)
			return (int)si.ssi_signo;
		resized = true;
	}
	/* Asked for behind the signals: it is the last one's, or newer. */
	m.value = size_now();
	if (resized && r->tty)
		(void)!gateway_say(r->from.fd, &m);
	return 0;
}

static int attend(struct remote *r, int link, struct fail *fail)
{
	struct pollfd p[4] = {
		{ .fd = r->from.fd, .events = POLLIN },
		{ .fd = r->signals, .events = POLLIN },
		{ .fd = link, .events = POLLIN },
		{ .fd = 0, .events = POLLIN },
	};
	int status, by;

	for (;;) {
		p[3].fd = r->in ? 0 : -1;
		if (poll(p, 4, -1) < 0)
			continue;
		if (p[0].revents && (status = hear(r, fail)) >= 0)
			return status;
		if (p[1].revents && (by = signal_event(r)) > 0)
			return 128 + by;
		if (p[2].revents && !p[0].revents) {
			fail_set(fail, "the guest has ended; see slipway "
				 "status for what runs");
			return EXIT_OWN;
		}
		if (p[3].revents)
			(void)!send_input(r);
	}
}

int remote_run(int stream, int link, char *const *argv, struct fail *fail)
{
	static uint8_t buf[AGENT_RUN_BYTES];
	struct remote r = {
		.from = { .fd = stream, .buf = buf, .cap = sizeof(buf) },
		.tty = isatty(0) && isatty(1), .in = true,
	};
	int status = EXIT_OWN;

	/* The engine's end does not wait; ours does. */
	(void)!fcntl(stream, F_SETFL, 0);
	r.signals = watch_signals();
	if (send_command(&r, argv, fail) == 0) {
		make_raw(&r);
		status = attend(&r, link, fail);
	}
	if (r.raw)
		(void)!tcsetattr(0, TCSAFLUSH, &r.was);
	close(r.signals);
	close(stream);
	return status;
}
