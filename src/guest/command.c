/* SPDX-License-Identifier: MIT */
#include "guest/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/gateway.h"

#define NOT_STARTED	125
#define NOT_EXECUTABLE	126
#define NOT_FOUND	127
#define WORDS_MAX	4096
#define LAST_WORDS_MS	100
#define CHUNK_BYTES	16384	/* of what it prints, in a message */
#define PATH_USUAL	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:" \
			"/sbin:/bin"

/* A command that runs, and the stream to the host. */
struct front {
	struct gateway_reader host;
	pid_t pid;
	int end;			/* signalfd: readable when it has ended */
	bool tty;
	int in;				/* to its input; -1: closed */
	int out[2];			/* its output and errors; -1 */
	size_t at, n;			/* what waits for in, in host.buf */
	const uint8_t *waits;
};

uint32_t command_status(int how)
{
	return (uint32_t)(WIFEXITED(how) ? WEXITSTATUS(how) :
			  WIFSIGNALED(how) ? 128 + WTERMSIG(how) :
			  NOT_STARTED);
}

/* ---- the command's side ---- */

/* The words, each with its NUL, as execvp() wants them; text outlives it. */
static char **words_of(char *text, size_t len, char *shell)
{
	static char *words[WORDS_MAX + 1];
	size_t n = 0;

	for (size_t at = 0; at < len && n < WORDS_MAX;
	     at += strlen(text + at) + 1)
		words[n++] = text + at;
	if (!n)
		words[n++] = shell;
	words[n] = NULL;
	return words;
}

/* Of /etc/passwd, and no other source: there may be any, or none. */
static const struct passwd *passwd_of_root(void)
{
	FILE *f = fopen("/etc/passwd", "re");
	const struct passwd *pw = NULL;

	while (f && (pw = fgetpwent(f)) && pw->pw_uid != 0)
		;
	if (f)
		fclose(f);
	return pw;
}

static void set_environment(const char *term, const struct passwd *pw)
{
	setenv("PATH", PATH_USUAL, 0);
	setenv("HOME", pw ? pw->pw_dir : "/", 1);
	setenv("USER", pw ? pw->pw_name : "root", 1);
	setenv("LOGNAME", pw ? pw->pw_name : "root", 1);
	if (*term)
		setenv("TERM", term, 1);
	if (chdir(pw ? pw->pw_dir : "/") < 0)
		(void)!chdir("/");
}

/* In the child; fds: its three standard ones. Static, not to be freed. */
_Noreturn static void be_command(struct view text, struct view more,
				 const int fds[3], bool tty)
{
	const struct passwd *pw = passwd_of_root();
	char shell[] = "/bin/sh", term[64], *copy = malloc(text.len + 1);
	char **words;
	sigset_t none;

	if (!copy)
		_exit(NOT_STARTED);
	memcpy(copy, text.p, text.len);
	copy[text.len] = '\0';
	snprintf(term, sizeof(term), "%.*s", (int)more.len,
		 (const char *)more.p);
	setsid();
	for (int i = 0; i < 3; i++)
		dup2(fds[i], i);
	if (tty)
		(void)!ioctl(0, TIOCSCTTY, 0);
	closefrom(3);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	set_environment(term, pw);
	words = words_of(copy, text.len, pw && pw->pw_shell && *pw->pw_shell ?
					 pw->pw_shell : shell);
	execvp(words[0], words);
	fprintf(stderr, "slipway: %s: %s; check its name and path\n",
		words[0], strerror(errno));
	_exit(errno == ENOENT || errno == ENOTDIR ? NOT_FOUND :
						     NOT_EXECUTABLE);
}

static void set_size(int pty, uint32_t size)
{
	const struct winsize ws = { .ws_row = (unsigned short)(size >> 16),
				    .ws_col = (unsigned short)size };

	(void)!ioctl(pty, TIOCSWINSZ, &ws);
}

/* ours, its: of each standard descriptor. false with errno. */
static bool open_pipes(int ours[3], int its[3])
{
	int p[2];

	for (int i = 0; i < 3; i++) {
		if (pipe2(p, O_CLOEXEC) < 0)
			return false;
		ours[i] = i ? p[0] : p[1];
		its[i] = i ? p[1] : p[0];
	}
	return true;
}

static bool open_terminal(int ours[3], int its[3], uint32_t size)
{
	const int pty = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	int tty;

	if (pty < 0 || grantpt(pty) < 0 || unlockpt(pty) < 0)
		return false;
	/* Linux 4.13: not by its name, which may be of another mount. */
	tty = ioctl(pty, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (tty < 0)
		tty = open(ptsname(pty), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (tty < 0)
		return false;
	set_size(pty, size);
	ours[0] = ours[1] = pty;
	ours[2] = -1;
	its[0] = its[1] = its[2] = tty;
	return true;
}

/*
 * A descriptor that tells of a child's end: a signalfd, because machines are
 * older than a pidfd (Linux 5.3). Before there is a child.
 */
static int await_end(void)
{
	const struct sigaction only_ends = { .sa_handler = SIG_DFL,
					     .sa_flags = SA_NOCLDSTOP };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaction(SIGCHLD, &only_ends, NULL);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* false: it could not be started, for errno. */
static bool start(struct front *f, const struct agent_message *m)
{
	int ours[3], its[3];

	f->tty = m->flags & AGENT_TTY;
	if (!(f->tty ? open_terminal(ours, its, m->value) :
		       open_pipes(ours, its)))
		return false;
	f->end = await_end();
	f->pid = f->end < 0 ? -1 : fork();
	if (f->pid == 0)
		be_command(m->text, m->more, its, f->tty);
	if (f->pid < 0)
		return false;
	for (int i = 0; i < (f->tty ? 1 : 3); i++)
		close(its[i]);
	f->in = ours[0];
	f->out[0] = ours[1];
	f->out[1] = ours[2];
	(void)!fcntl(f->in, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 2; i++)
		if (f->out[i] >= 0)
			(void)!fcntl(f->out[i], F_SETFL, O_NONBLOCK);
	return true;
}

/* ---- ours ---- */

static void close_in(struct front *f)
{
	/* The terminal is its output, too: its end is a character there. */
	if (f->tty || f->in < 0)
		return;
	close(f->in);
	f->in = -1;
}

/* The host has gone; and so shall it. */
_Noreturn static void hang_up(const struct front *f)
{
	kill(-f->pid, SIGHUP);
	kill(-f->pid, SIGCONT);
	_exit(NOT_STARTED);
}

static void feed(struct front *f)
{
	const ssize_t n = f->in < 0 ? -1 : write(f->in, f->waits + f->at,
						 f->n);

	if (n < 0 && f->in >= 0 && errno == EAGAIN)
		return;
	if (n < 0) {		/* it does not read: lost, as in a pipe */
		f->n = 0;
		close_in(f);
		return;
	}
	f->at += (size_t)n;
	f->n -= (size_t)n;
}

/* One message of the host's; what is for the command waits in the buffer. */
static void hear(struct front *f)
{
	struct agent_message m;

	switch (gateway_hear(&f->host, &m)) {
	case GATEWAY_PART:
		return;
	case GATEWAY_END:
		hang_up(f);
	case GATEWAY_WHOLE:
		break;
	}
	if (m.kind == AGENT_SIZE && f->tty) {
		set_size(f->in, m.value);
	} else if (m.kind == AGENT_DATA && m.text.len) {
		f->waits = m.text.p;
		f->at = 0;
		f->n = m.text.len;
		feed(f);
	} else if (m.kind == AGENT_DATA) {
		close_in(f);
	}
}

/* false: there is no more now. */
static bool pass_on(struct front *f, int i)
{
	uint8_t buf[CHUNK_BYTES];
	const ssize_t n = f->out[i] < 0 ? -1 : read(f->out[i], buf,
						    sizeof(buf));
	const struct agent_message m = {
		.kind = AGENT_DATA, .value = 1u + (unsigned)i,
		.text = { .p = buf, .len = n > 0 ? (size_t)n : 0 },
	};

	if (n > 0) {
		if (!gateway_say(f->host.fd, &m))
			hang_up(f);
		return true;
	}
	/* EIO: nobody has the terminal any more. */
	if (f->out[i] >= 0 && (n == 0 || errno != EAGAIN)) {
		if (!f->tty)
			close(f->out[i]);
		f->out[i] = -1;
	}
	return false;
}

_Noreturn static void tell_end(struct front *f)
{
	struct agent_message m = { .kind = AGENT_ENDED };
	struct pollfd p = { .events = POLLIN };
	int how = 0;

	waitpid(f->pid, &how, 0);
	/* A terminal gives its last words a moment later, and then its end,
	   unless somebody in the background has it still. */
	for (p.fd = f->out[0]; f->tty && f->out[0] >= 0;)
		if (poll(&p, 1, LAST_WORDS_MS) <= 0 || !pass_on(f, 0))
			break;
	for (int i = 0; i < 2; i++)
		while (pass_on(f, i))
			;
	m.value = command_status(how);
	(void)!gateway_say(f->host.fd, &m);
	_exit(0);
}

_Noreturn static void attend(struct front *f)
{
	for (;;) {
		struct pollfd p[5] = {
			{ .fd = f->n ? -1 : f->host.fd, .events = POLLIN },
			{ .fd = f->n ? f->in : -1, .events = POLLOUT },
			{ .fd = f->out[0], .events = POLLIN },
			{ .fd = f->out[1], .events = POLLIN },
			{ .fd = f->end, .events = POLLIN },
		};

		if (poll(p, 5, -1) < 0)
			continue;
		if (p[1].revents)
			feed(f);
		if (p[0].revents)
			hear(f);
		for (int i = 0; i < 2; i++)
			if (p[2 + i].revents)
				(void)pass_on(f, i);
		if (p[4].revents)
			tell_end(f);
	}
}

/* The first message says what to run. */
static bool await_command(struct front *f, struct agent_message *m)
{
	for (;;) {
		struct pollfd p = { .fd = f->host.fd, .events = POLLIN };

		if (poll(&p, 1, GATEWAY_WAIT_S * 1000) <= 0)
			return false;
		switch (gateway_hear(&f->host, m)) {
		case GATEWAY_WHOLE:
			return m->kind == AGENT_COMMAND;
		case GATEWAY_PART:
			break;
		case GATEWAY_END:
			return false;
		}
	}
}

void command_serve(const struct ip *gateway,
		   const uint8_t token[AGENT_TOKEN_BYTES])
{
	static uint8_t buf[AGENT_RUN_BYTES];
	static struct front f = { .in = -1, .out = { -1, -1 } };
	struct agent_message m = { .kind = AGENT_CARRY };
	const char *why;

	memcpy(m.token, token, sizeof(m.token));
	f.host = (struct gateway_reader){ .buf = buf, .cap = sizeof(buf),
				.fd = gateway_connect(gateway, false) };
	if (f.host.fd < 0 || !gateway_say(f.host.fd, &m) ||
	    !await_command(&f, &m))
		_exit(NOT_STARTED);
	if (start(&f, &m))
		attend(&f);
	why = strerror(errno);
	m = (struct agent_message){
		.kind = AGENT_ENDED, .value = NOT_STARTED,
		.text = { .p = (const uint8_t *)why, .len = strlen(why) },
	};
	(void)!gateway_say(f.host.fd, &m);
	_exit(NOT_STARTED);
}

pid_t command_boot(struct view text, const char *once)
{
	static const char sh[] = "/bin/sh";
	char *const argv[] = {
		(char *)(uintptr_t)"sh", (char *)(uintptr_t)"-c",
		strndup((const char *)text.p, text.len), NULL,
	};
	int fd, null;
	pid_t pid;

	(void)!mkdir("/run", 0755);
	fd = open(once, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || !argv[2])
		return 0;
	close(fd);
	pid = fork();
	if (pid == 0) {
		null = open("/dev/null", O_RDWR);
		for (int i = 0; i < 3; i++)
			dup2(null, i);
		closefrom(3);
		setsid();
		set_environment("", passwd_of_root());
		execv(sh, argv);
		_exit(NOT_FOUND);
	}
	free(argv[2]);
	return pid < 0 ? 0 : pid;
}
