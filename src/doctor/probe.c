/* SPDX-License-Identifier: MIT */
#include "doctor/probe.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doctor/clock.h"
#include "linux/dial.h"
#include "linux/sockaddr.h"

#define REQUEST	"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n"
#define REQUEST_MS	300	/* patience with one client */
#define AGAIN_MS	10

void probe_word(char word[PROBE_WORD_BYTES])
{
	uint8_t bytes[(PROBE_WORD_BYTES - 1) / 2];

	ASSERT(getrandom(bytes, sizeof(bytes), 0) == (ssize_t)sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(word + 2 * i, 3, "%02x", bytes[i]);
}

int probe_listen(struct endpoint *at)
{
	struct sockaddr_any sa;
	socklen_t len = sizeof(sa);
	const int fd = dial_bind(at, "", false);

	if (fd < 0)
		return fd;
	if (listen(fd, 16) == 0 && getsockname(fd, &sa.sa, &len) == 0 &&
	    sockaddr_to(&sa, at))
		return fd;
	close(fd);
	return -EADDRINUSE;
}

/* ---- the server ---- */

/* Read until the end of a request's head, or as long as we are patient. */
static void hear(int fd)
{
	const int64_t end = clock_ms() + REQUEST_MS;
	char buf[1024];
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(buf) - 1 && clock_wait(fd, POLLIN, end)) {
		n = recv(fd, buf + len, sizeof(buf) - 1 - len, MSG_DONTWAIT);
		if (n <= 0)
			return;
		len += (size_t)n;
		buf[len] = '\0';
		if (strstr(buf, "\r\n\r\n"))
			return;
	}
}

static void answer(int listener, const char *word)
{
	const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	char text[256];
	int n;

	if (fd < 0)
		return;
	hear(fd);
	n = snprintf(text, sizeof(text), "HTTP/1.0 200 OK\r\n"
		     "Content-Type: text/plain\r\nContent-Length: %zu\r\n"
		     "Connection: close\r\n\r\n%s", strlen(word), word);
	(void)!send(fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

_Noreturn static void serve(const int *fds, unsigned n, const char *word)
{
	struct pollfd p[4];

	ASSERT(n <= sizeof(p) / sizeof(p[0]));
	for (unsigned i = 0; i < n; i++)
		p[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	for (;;) {
		if (poll(p, n, -1) < 0)
			continue;
		for (unsigned i = 0; i < n; i++)
			if (p[i].revents)
				answer(p[i].fd, word);
	}
}

/* Pipes that somebody waits at the end of are not to stay open in here. */
static void keep_only(const int *fds, unsigned n)
{
	unsigned from = 3;

	for (;;) {
		unsigned next = ~0u;

		for (unsigned i = 0; i < n; i++)
			if ((unsigned)fds[i] >= from && (unsigned)fds[i] < next)
				next = (unsigned)fds[i];
		if (next > from)
			(void)!close_range(from, next - 1, 0);
		if (next == ~0u)
			return;
		from = next + 1;
	}
}

pid_t probe_serve(const int *fds, unsigned n, const char *word)
{
	const pid_t parent = getpid();
	const pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(0);
		keep_only(fds, n);
		serve(fds, n, word);
	}
	return pid < 0 ? -errno : pid;
}

void probe_serve_end(pid_t server)
{
	if (server <= 0)
		return;
	kill(server, SIGKILL);
	while (waitpid(server, NULL, 0) < 0 && errno == EINTR)
		continue;
}

/* ---- the client ---- */

/* Wait until fd's connect is done. 0 or -errno. */
static int connected(int fd, int64_t end)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (!clock_wait(fd, POLLOUT, end))
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	return -error;
}

/* 0: what comes, to its end, has the word in it. */
static int hears(int fd, const char *word, int64_t end)
{
	char buf[1024];
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(buf) - 1) {
		if (!clock_wait(fd, POLLIN, end))
			return -ETIMEDOUT;
		n = recv(fd, buf + len, sizeof(buf) - 1 - len, 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return memmem(buf, len, word, strlen(word)) ? 0 : -EPROTO;
}

int probe_tcp(const struct endpoint *to, const char *word, int ms)
{
	const int64_t end = clock_ms() + ms;
	const int fd = dial(to, false);
	int err;

	if (fd < 0)
		return fd;
	err = connected(fd, end);
	if (!err && word) {
		if (send(fd, REQUEST, strlen(REQUEST), MSG_NOSIGNAL) < 0)
			err = -errno;
		else
			err = hears(fd, word, end);
	}
	close(fd);
	return err;
}

int probe_tcp_soon(const struct endpoint *to, const char *word, int ms)
{
	const int64_t end = clock_ms() + ms;

	for (;;) {
		const int64_t left = end - clock_ms();
		const int err = probe_tcp(to, word, left > 1 ? (int)left : 1);

		if (err != -ECONNREFUSED || left <= AGAIN_MS)
			return err;
		poll(NULL, 0, AGAIN_MS);	/* nobody tells when */
	}
}
