/* SPDX-License-Identifier: MIT */
#include "guest/gateway.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "linux/sockaddr.h"

#define ROOTS_FIRST	600	/* lower ones are services' */
#define ROOTS_LAST	1023

static void set_int(int fd, int level, int option, int value)
{
	/* Best effort: each of these only betters what works without. */
	(void)!setsockopt(fd, level, option, &value, sizeof(value));
}

static int open_socket(const struct ip *gateway)
{
	const struct timeval wait = { .tv_sec = GATEWAY_WAIT_S };
	const int fd = socket(ip_is4(gateway) ? AF_INET : AF_INET6,
			      SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	/* It bounds connect(), too. */
	(void)!setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 2 * GATEWAY_WAIT_S * 1000);
	return fd;
}

static int bind_port(int fd, const struct ip *gateway, unsigned port)
{
	const struct endpoint any = {
		.ip = ip_is4(gateway) ? ip_from_v4(0) :
				       (struct ip){ .b[15] = 0 },
		.port = (uint16_t)port,
	};
	struct sockaddr_any sa;
	const socklen_t len = sockaddr_from(&sa, &any);

	return bind(fd, &sa.sa, len) < 0 ? -errno : 0;
}

/* The descriptor, or -errno. port: of ours; 0: any. */
static int connect_from(const struct ip *gateway, unsigned port)
{
	const struct endpoint to = { .ip = *gateway, .port = AGENT_PORT };
	struct sockaddr_any sa;
	const socklen_t len = sockaddr_from(&sa, &to);
	const int fd = open_socket(gateway);
	int rc = fd < 0 || !port ? fd : bind_port(fd, gateway, port);

	if (rc >= 0 && connect(fd, &sa.sa, len) < 0)
		rc = errno == EINPROGRESS ? -ETIMEDOUT : -errno;
	if (rc >= 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return rc;
}

int gateway_connect(const struct ip *gateway, bool from_roots_port)
{
	const unsigned n = ROOTS_LAST - ROOTS_FIRST + 1;
	unsigned first = 0;
	int rc = -EADDRINUSE;

	if (!from_roots_port)
		return connect_from(gateway, 0);
	/* Not the last one's, whose end may not be over. */
	(void)!getrandom(&first, sizeof(first), 0);
	for (unsigned i = 0; i < n && (rc == -EADDRINUSE ||
				       rc == -EADDRNOTAVAIL); i++)
		rc = connect_from(gateway, ROOTS_FIRST + (first + i) % n);
	return rc;
}

bool gateway_say(int fd, const struct agent_message *m)
{
	static uint8_t buf[AGENT_RUN_BYTES];
	struct wr w = wr(buf, sizeof(buf));
	size_t done = 0, len;

	agent_emit(&w, m);
	if (w.bad)
		return false;
	len = sizeof(buf) - w.left;
	while (done < len) {
		const ssize_t n = send(fd, buf + done, len - done,
				       MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

enum gateway_got gateway_hear(struct gateway_reader *r,
			      struct agent_message *m)
{
	for (;;) {
		const size_t head = agent_bytes(r->buf, r->n);
		const size_t want = head ? head : 2;
		ssize_t n;

		if (want > r->cap)
			return GATEWAY_END;
		if (head && r->n == head) {
			const struct view whole = { .p = r->buf,
						    .len = r->n };

			r->n = 0;
			return agent_parse(whole, m) == DROP_OK ?
			       GATEWAY_WHOLE : GATEWAY_END;
		}
		n = recv(r->fd, r->buf + r->n, want - r->n, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return GATEWAY_PART;
		if (n <= 0)
			return GATEWAY_END;
		r->n += (size_t)n;
	}
}
