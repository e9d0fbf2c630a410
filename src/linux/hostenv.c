/* SPDX-License-Identifier: MIT */
#include "linux/hostenv.h"

#include <errno.h>
#include <time.h>
#include <linux/errqueue.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "linux/netlink.h"
#include "linux/sockaddr.h"
#include "linux/tap.h"

enum env_error hostenv_error(int error)
{
	switch (error) {
	case EAGAIN:
	case EINPROGRESS:
	case EALREADY:
		return ENV_AGAIN;
	case ECONNREFUSED:
		return ENV_REFUSED;
	case ENETUNREACH:
	case ENETDOWN:
	case EADDRNOTAVAIL:	/* no source address: no route either */
		return ENV_NET_UNREACHABLE;
	case EHOSTUNREACH:
	case EHOSTDOWN:
		return ENV_HOST_UNREACHABLE;
	case ETIMEDOUT:
		return ENV_TIMED_OUT;
	case ECONNRESET:
	case EPIPE:
		return ENV_RESET;
	case EACCES:
	case EPERM:
		return ENV_ACCESS;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case ENOSPC:		/* epoll watches of this user */
		return ENV_LIMIT;
	case EMSGSIZE:
		return ENV_TOO_BIG;
	default:
		return ENV_OTHER;
	}
}

unsigned hostenv_events(uint32_t e)
{
	return (e & (EPOLLIN | EPOLLRDHUP) ? ENV_READABLE : 0u) |
	       (e & EPOLLOUT ? ENV_WRITABLE : 0u) |
	       (e & (EPOLLERR | EPOLLHUP) ? ENV_FAILED : 0u);
}

static int failed(void)
{
	return -(int)hostenv_error(errno);
}

static int enrol(struct hostenv *he, int fd, uint32_t events,
		 struct handle owner)
{
	struct epoll_event ev = {
		.events = events, .data.u64 = hostenv_datum(owner),
	};

	return epoll_ctl(he->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

static void set_int(int fd, int level, int option, int value)
{
	/* Best effort: each of these only betters what works without. */
	(void)!setsockopt(fd, level, option, &value, sizeof(value));
}

static int tcp_connect(void *ctx, const struct endpoint *to,
		       struct handle owner)
{
	struct sockaddr_any sa;
	const socklen_t len = sockaddr_from(&sa, to);
	const int fd = socket(sa.sa.sa_family,
			      SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return failed();
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if ((connect(fd, &sa.sa, len) < 0 && errno != EINPROGRESS) ||
	    enrol(ctx, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		  owner) < 0) {
		error = failed();
		close(fd);
		return error == -ENV_AGAIN ? -ENV_LIMIT : error;
	}
	return fd;
}

static int stream_connected(void *ctx, int id)
{
	struct sockaddr_any sa;
	socklen_t len = sizeof(sa);
	int error = 0;
	socklen_t error_len = sizeof(error);

	(void)ctx;
	if (getsockopt(id, SOL_SOCKET, SO_ERROR, &error, &error_len) < 0)
		return failed();
	if (error)
		return -(int)hostenv_error(error);
	return getpeername(id, &sa.sa, &len) < 0 ? -ENV_AGAIN : 0;
}

static int64_t stream_send(void *ctx, int id, const struct span *v, unsigned n)
{
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)v,
			    .msg_iovlen = n };
	const ssize_t sent = sendmsg(id, &m, MSG_NOSIGNAL | MSG_DONTWAIT);

	(void)ctx;
	return sent < 0 ? failed() : sent;
}

static int64_t stream_recv(void *ctx, int id, const struct span *v, unsigned n)
{
	const ssize_t got = readv(id, (const struct iovec *)(const void *)v,
				  (int)n);

	(void)ctx;
	return got < 0 ? failed() : got;
}

static void stream_shut(void *ctx, int id)
{
	(void)ctx;
	shutdown(id, SHUT_WR);
}

static void stream_close(void *ctx, int id, bool reset)
{
	const struct linger now = { .l_onoff = 1 };

	(void)ctx;
	if (reset)
		(void)!setsockopt(id, SOL_SOCKET, SO_LINGER, &now,
				  sizeof(now));
	close(id);
}

/* A datagram socket that reports network errors; registered. */
static int dgram_open(struct hostenv *he, int family, int proto,
		      struct handle owner)
{
	const int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK |
			      SOCK_CLOEXEC, proto);
	int error;

	if (fd < 0)
		return failed();
	if (family == AF_INET6) {
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
		set_int(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
	} else {
		set_int(fd, IPPROTO_IP, IP_RECVERR, 1);
	}
	if (enrol(he, fd, EPOLLIN, owner) < 0) {
		error = failed();
		close(fd);
		return error;
	}
	return fd;
}

static int udp_open(void *ctx, bool v6, struct handle owner)
{
	return dgram_open(ctx, v6 ? AF_INET6 : AF_INET, IPPROTO_UDP, owner);
}

static int ping_open(void *ctx, bool v6, struct handle owner)
{
	return v6 ? dgram_open(ctx, AF_INET6, IPPROTO_ICMPV6, owner) :
		    dgram_open(ctx, AF_INET, IPPROTO_ICMP, owner);
}

/* The control message that sets the hop limit of one datagram. */
static size_t put_ttl(void *control, bool v4, int ttl)
{
	struct cmsghdr *c = control;

	c->cmsg_level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
	c->cmsg_type = v4 ? IP_TTL : IPV6_HOPLIMIT;
	c->cmsg_len = CMSG_LEN(sizeof(ttl));
	memcpy(CMSG_DATA(c), &ttl, sizeof(ttl));
	return CMSG_SPACE(sizeof(ttl));
}

static int dgram_send(void *ctx, int id, const struct endpoint *to,
		      uint8_t ttl, const struct span *v, unsigned n)
{
	union {
		struct cmsghdr head;
		uint8_t room[CMSG_SPACE(sizeof(int))];
	} control = { .room = { 0 } };
	struct sockaddr_any sa;
	struct msghdr m = {
		.msg_name = &sa, .msg_namelen = sockaddr_from(&sa, to),
		.msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = n,
	};

	(void)ctx;
	if (ttl) {
		m.msg_control = &control;
		m.msg_controllen = put_ttl(&control, ip_is4(&to->ip), ttl);
	}
	if (sendmsg(id, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return 0;
	/* An error about an earlier datagram is reported once, here. */
	if (errno != EAGAIN && errno != EMSGSIZE &&
	    sendmsg(id, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return 0;
	return failed();
}

static int64_t dgram_recv(void *ctx, int id, struct endpoint *from,
			  uint8_t *ttl, void *buf, size_t cap)
{
	struct sockaddr_any sa;
	struct iovec iov = { .iov_base = buf, .iov_len = cap };
	struct msghdr m = {
		.msg_name = &sa, .msg_namelen = sizeof(sa),
		.msg_iov = &iov, .msg_iovlen = 1,
	};
	const ssize_t n = recvmsg(id, &m, MSG_DONTWAIT);

	(void)ctx;
	if (n < 0)
		return failed();
	*ttl = 0;
	return sockaddr_to(&sa, from) ? n : -ENV_OTHER;
}

static void read_extended_err(const struct sock_extended_err *ee,
			      struct env_dgram_error *out)
{
	const struct sockaddr *offender = SO_EE_OFFENDER(ee);
	struct endpoint e;

	out->offender = out->to.ip;
	if (ee->ee_origin == SO_EE_ORIGIN_LOCAL) {
		const bool v4 = ip_is4(&out->to.ip);

		/* Our own host's word, said as a router would say it. */
		out->type = v4 ? ICMP_DEST_UNREACH :
			    ee->ee_errno == EMSGSIZE ? ICMPV6_PKT_TOOBIG :
						       ICMPV6_DEST_UNREACH;
		out->code = v4 ? ee->ee_errno == EMSGSIZE ? ICMP_FRAG_NEEDED :
							    ICMP_HOST_UNREACH :
			    0;
	} else {
		out->type = ee->ee_type;
		out->code = ee->ee_code;
		if (offender->sa_family != AF_UNSPEC &&
		    sockaddr_to((const struct sockaddr_any *)
				(const void *)offender, &e))
			out->offender = e.ip;
	}
	out->mtu = ee->ee_errno == EMSGSIZE ? ee->ee_info : 0;
}

static bool dgram_error(void *ctx, int id, struct env_dgram_error *out,
			void *payload, size_t cap)
{
	_Alignas(struct cmsghdr) uint8_t control[512];
	struct sockaddr_any sa;
	struct iovec iov = { .iov_base = payload, .iov_len = cap };
	struct msghdr m = {
		.msg_name = &sa, .msg_namelen = sizeof(sa),
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	const ssize_t n = recvmsg(id, &m, MSG_ERRQUEUE | MSG_DONTWAIT |
				  MSG_TRUNC);
	struct cmsghdr *c;

	(void)ctx;
	if (n < 0)
		return false;
	*out = (struct env_dgram_error){ .payload_bytes = (size_t)n };
	if (!sockaddr_to(&sa, &out->to))
		return true;
	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if ((c->cmsg_level == IPPROTO_IP &&
		     c->cmsg_type == IP_RECVERR) ||
		    (c->cmsg_level == IPPROTO_IPV6 &&
		     c->cmsg_type == IPV6_RECVERR))
			read_extended_err((const void *)CMSG_DATA(c), out);
	return true;
}

static void dgram_close(void *ctx, int id)
{
	(void)ctx;
	close(id);
}

static enum env_route route(void *ctx, const struct ip *ip)
{
	const struct hostenv *he = ctx;

	switch (netlink_route_kind(he->netlink, ip)) {
	case ROUTE_NONE:
		return ENV_ROUTE_NONE;
	case ROUTE_UNICAST:
		return ENV_ROUTE_WORLD;
	case ROUTE_LOCAL:
		return ENV_ROUTE_HOST;
	case ROUTE_OTHER:
		break;
	}
	return ENV_ROUTE_OTHER;
}

static void *mem_alloc(void *ctx, size_t bytes)
{
	return pool_alloc(&((struct hostenv *)ctx)->pool, bytes);
}

static void mem_free(void *ctx, void *p, size_t bytes)
{
	pool_free(&((struct hostenv *)ctx)->pool, p, bytes);
}

static int link_send(void *ctx, const struct frame_meta *meta,
		     const struct span *v, unsigned n)
{
	const struct hostenv *he = ctx;
	const int r = tap_write(he->tap_fd, meta, v, n);

	/* -EIO: the guest took its interface down. Lost, as on any wire. */
	return r < 0 && r != -EIO ? -ENV_AGAIN : 0;
}

static void random_bytes(void *ctx, void *buf, size_t len)
{
	(void)ctx;
	ASSERT(getrandom(buf, len, 0) == (ssize_t)len);
}

const struct env_ops hostenv_ops = {
	.tcp_connect = tcp_connect,
	.tcp = {
		.connected = stream_connected,
		.send = stream_send,
		.recv = stream_recv,
		.shut = stream_shut,
		.close = stream_close,
	},
	.udp_open = udp_open,
	.ping_open = ping_open,
	.dgram_send = dgram_send,
	.dgram_recv = dgram_recv,
	.dgram_error = dgram_error,
	.dgram_close = dgram_close,
	.route = route,
	.mem_alloc = mem_alloc,
	.mem_free = mem_free,
	.link_send = link_send,
	.random = random_bytes,
};
